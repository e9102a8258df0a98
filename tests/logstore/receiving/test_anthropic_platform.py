"""What Anthropic's platform is documented to send to a telemetry destination, and how it is taken.

Its span reference and its reference of destinations (beta telemetry-destinations-2026-08-11) say: a
POST in protobuf to the registered address with `/v1/traces` appended, with the registered headers;
resource `claude-platform`, scope `com.anthropic.claude-platform`, kind SERVER, in the trace of the
client's own span; a test is one span `anthropic.test`. An answer of 3xx ends the destination at
once. The platform itself is not within reach: this is its documented form.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.certificates import certificates
from support.client_programs import new_token
from support.serving import PROTOBUF, Serving, new_store, serving

pytestmark = pytest.mark.slow

TRACE, ABOVE, SDK = b"\x11" * 16, b"\x01" * 8, b"\x02" * 8
CALL: dict[str, str | int] = {
    "gen_ai.provider.name": "anthropic",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.request.max_tokens": 300,
    "gen_ai.response.id": "msg_01",
    "gen_ai.response.model": "claude-sonnet-4-5-20250929",
    "gen_ai.usage.input_tokens": 63,
    "gen_ai.usage.output_tokens": 31,
    "anthropic.message.stop_reason": "end_turn",
    "anthropic.request.id": "req_01",
    "anthropic.workspace.id": "wrkspc_01",
}
CONTENT: dict[str, str | int] = {
    f"gen_ai.{side}.messages": json.dumps([{"role": role, "parts": [{"type": "text", **said}]}])
    for side, role, said in (
        ("input", "user", {"content": "needle-asked"}),
        ("output", "assistant", {"content": "needle-answered"}),
    )
}


class Platform:
    """Sends what it is asked to send, to a destination that somebody registered."""

    def __init__(self, address: str, headers: dict[str, str], trusted: Path) -> None:
        self._address = f"{address}/v1/traces"
        self._headers = headers | PROTOBUF
        self._context = ssl.create_default_context(cafile=str(trusted))

    def deliver(self, request: ExportTraceServiceRequest, after: str = "") -> int:
        """The status of the answer; redirects are not followed."""
        with httpx.Client(verify=self._context, timeout=30, trust_env=False) as client:
            body = request.SerializeToString()
            return client.post(
                self._address + after, content=body, headers=self._headers
            ).status_code


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[tuple[Serving, Platform]]:
    store, made = new_store(tmp_path), certificates(tmp_path / "tls")
    token = new_token(store, "anthropic-platform")
    options = ("--tls-cert", made.server, "--tls-key", made.server_key)
    with serving(store, *options, "--token-file", f"{store}.tokens") as endpoint:
        headers = {"authorization": f"Bearer {token}"}
        yield endpoint, Platform(endpoint.url, headers, made.ca)


def test_a_test_span_is_answered_well_and_is_no_call(
    destination: tuple[Serving, Platform],
) -> None:
    endpoint, platform = destination
    assert platform.deliver(_spans("claude-platform", "anthropic.test", {})) == 200
    assert platform.deliver(_spans("claude-platform", "anthropic.test", {}), after="/") == 200
    assert endpoint.sql("SELECT DISTINCT application FROM spans") == [
        {"application": "claude-platform"}
    ]
    assert endpoint.sql("SELECT count(*) AS n FROM calls") == [{"n": 0}]


@pytest.mark.parametrize("platform_is_first", [True, False])
def test_the_platforms_span_and_the_clients_are_one_call_of_the_person_above_them(
    destination: tuple[Serving, Platform], platform_is_first: bool
) -> None:
    endpoint, platform = destination
    own = _spans("support", "anthropic.messages.create", CALL, span=SDK, parent=ABOVE)
    above = (
        own.resource_spans[0]
        .scope_spans.add()
        .spans.add(trace_id=TRACE, span_id=ABOVE, name="POST /ask")
    )
    above.attributes.add(key="enduser.id").value.string_value = "maria-4711"
    sent = [_spans("claude-platform", "anthropic.messages.create", CALL | CONTENT), own]
    for request in sent if platform_is_first else reversed(sent):
        assert platform.deliver(request) == 200
    (call,) = endpoint.sql("SELECT user_ids, input_tokens, output_tokens FROM calls")
    assert call == {"user_ids": ["maria-4711"], "input_tokens": 63, "output_tokens": 31}
    texts = {row["text"] for row in endpoint.sql("SELECT text FROM messages")}
    assert texts == {"needle-asked", "needle-answered"}
    assert endpoint.verify().returncode == 0


def test_metadata_only_says_that_the_content_is_not_there(
    destination: tuple[Serving, Platform],
) -> None:
    endpoint, platform = destination
    spans = _spans("claude-platform", "anthropic.messages.create", CALL)
    assert platform.deliver(spans) == 200
    (row,) = endpoint.sql("SELECT capture_gaps, application, source FROM interactions")
    assert "content-not-captured" in str(row["capture_gaps"])
    assert "no-user" in str(row["capture_gaps"])
    assert (row["application"], row["source"]) == ("claude-platform", "live/anthropic-platform")


def _spans(
    service: str,
    name: str,
    facts: dict[str, str | int],
    *,
    span: bytes = b"\x03" * 8,
    parent: bytes = SDK,
) -> ExportTraceServiceRequest:
    """One span of the platform's, or of the client's own where the service is an application."""
    is_platform = service == "claude-platform"
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    scope = resource.scope_spans.add()
    scope.scope.name = "com.anthropic." + ("claude-platform" if is_platform else "sdk.python")
    made = scope.spans.add(
        trace_id=TRACE,
        span_id=span,
        parent_span_id=parent,
        name=name,
        kind=Span.SPAN_KIND_SERVER if is_platform else Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1_795_000_000_000_000_000,
        end_time_unix_nano=1_795_000_001_000_000_000,
        status=Status(code=Status.STATUS_CODE_OK),
    )
    for key, value in facts.items():
        said = made.attributes.add(key=key).value
        if isinstance(value, int):
            said.int_value = value
        else:
            said.string_value = value
    return request
