"""OpenTelemetry's general conventions: errors, HTTP, client, the service; and aircon's own few."""

from __future__ import annotations

from logstore.capture.decoders.otlp_found import Dialect, Rule, integer, text, texts

DIALECT = Dialect(
    name="",
    rules={
        "error.type": Rule("error_type", text),
        "error.message": Rule("error_message", text),
        "http.response.status_code": Rule("http_status", integer),
        "http.status_code": Rule("http_status", integer),
        "client.address": Rule("client_address", text),
        # No convention names these: applications set them under the names they have in clear.
        "aircon.model.version": Rule("model_version", text),
        "aircon.dataset.ids": Rule("dataset_ids", texts),
        "aircon.document.ids": Rule("document_ids", texts),
    },
)

RESOURCE = {
    "service.name": "application",
    "service.version": "application_version",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "langfuse.environment": "environment",
    "langfuse.release": "application_version",
}
"""Resource attribute to field."""

UNNAMED = "unknown_service"
"""What OpenTelemetry SDKs write when nobody named the service."""
