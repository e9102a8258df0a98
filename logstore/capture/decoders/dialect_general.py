"""OpenTelemetry's general conventions: errors, HTTP, client, and the resource of the service."""

from __future__ import annotations

from logstore.capture.decoders.otlp_found import Dialect, Rule, integer, text

DIALECT = Dialect(
    name="",
    rules={
        "error.type": Rule("error_type", text),
        "error.message": Rule("error_message", text),
        "http.response.status_code": Rule("http_status", integer),
        "http.status_code": Rule("http_status", integer),
        "client.address": Rule("client_address", text),
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
