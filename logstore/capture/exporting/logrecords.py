"""A `LogRecordExporter` of OpenTelemetry's SDK that writes log records to a local log."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs import export as sdk

from logstore.capture.decoders.otlp_split import split_logs_protobuf
from logstore.capture.exporting.storing import Log, Storing


class LogRecordExporter(sdk.LogRecordExporter):
    """Writes log records to a log; give it to a `BatchLogRecordProcessor` or its simple kind.

    Args:
        log: an open log. It is not closed by the exporter.
        source: name of the source in records; by default ``otel/`` and 12 random hex digits.
    """

    def __init__(self, log: Log, *, source: str | None = None) -> None:
        self._storing = Storing(log, split_logs_protobuf, source)

    def export(self, batch: Sequence[ReadableLogRecord]) -> sdk.LogRecordExportResult:
        """Store log records; `SUCCESS` once every one of them is on disk."""
        stored = self._storing.store(encode_logs(batch).SerializeToString())
        return sdk.LogRecordExportResult.SUCCESS if stored else sdk.LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Store nothing more."""
        self._storing.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """What `export` took is on disk already."""
        return True
