"""OpenTelemetry exporters that write an application's spans and log records to a local log.

They need the extra ``otel``: ``pip install "aircon-console[otel]"``.
"""

from __future__ import annotations

try:
    from logstore.capture.exporting.logrecords import LogRecordExporter
    from logstore.capture.exporting.spans import SpanExporter
except ImportError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ImportError(
        'These exporters need OpenTelemetry\'s SDK: pip install "aircon-console[otel]".',
        name=error.name,
    ) from error

__all__ = ["LogRecordExporter", "SpanExporter"]
