"""A `SpanExporter` of OpenTelemetry's SDK that writes spans to a local log."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace import export as sdk

from logstore.capture.decoders.otlp_split import split_traces_protobuf
from logstore.capture.exporting.storing import Log, Storing


class SpanExporter(sdk.SpanExporter):
    """Writes spans to a log; give it to a `SimpleSpanProcessor` or a `BatchSpanProcessor`.

    Args:
        log: an open log. It is not closed by the exporter.
        source: name of the source in records; by default ``otel/`` and 12 random hex digits.
    """

    def __init__(self, log: Log, *, source: str | None = None) -> None:
        self._storing = Storing(log, split_traces_protobuf, source)

    def export(self, spans: Sequence[ReadableSpan]) -> sdk.SpanExportResult:
        """Store spans; `SUCCESS` once every one of them is on disk."""
        stored = self._storing.store(encode_spans(spans).SerializeToString())
        return sdk.SpanExportResult.SUCCESS if stored else sdk.SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Store nothing more."""
        self._storing.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """What `export` took is on disk already."""
        return True
