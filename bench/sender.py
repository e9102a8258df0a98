"""One sender: OTLP requests of a recorded shape, serialised before, with fresh ids in each.

    python -m bench.sender URL PLACE SECONDS SPANS_PER_SECOND

Prints one JSON object at the end; SPANS_PER_SECOND 0 means as fast as the answers come.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

SPANS = 100
"""Spans of one request."""

_ID = b"resp-%020d"
_PLACES = 3  # ids in each span that are made anew


@dataclass
class Sent:
    """What one sender did.

    Attributes:
        spans: acknowledged.
        refused: requests that were not answered with 200.
        seconds: from the first request to the last answer.
        cpu_s: processor time meanwhile.
        waits_ms: time to each answer.
    """

    spans: int = 0
    refused: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    waits_ms: list[float] = field(default_factory=list)


class Requests:
    """Requests that differ in their ids only.

    Args:
        place: the sender; ids of different senders differ.
        texts: of prompts and answers.
    """

    def __init__(self, place: int, texts: list[str]) -> None:
        self._number = place * 10**12 + 1
        made = _request(self._number, texts)
        self._data = bytearray(made)
        self._at = [
            made.index(each)
            for number in range(self._number, self._number + SPANS)
            for each in _ids(number)
        ]

    def next(self) -> bytes:
        """One more request."""
        data, at = self._data, iter(self._at)
        for number in range(self._number, self._number + SPANS):
            for each in _ids(number):
                start = next(at)
                data[start : start + len(each)] = each
        self._number += SPANS
        return bytes(data)


def _ids(number: int) -> tuple[bytes, ...]:
    return number.to_bytes(16, "big"), b"\1" + number.to_bytes(7, "big"), _ID % number


def _request(first: int, texts: list[str]) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    about = {"service.name": "support", "telemetry.sdk.language": "python",
             "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.39.1"}  # fmt: skip
    for key, value in about.items():
        resource.resource.attributes.add(key=key).value.string_value = value
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    rng = random.Random(first)
    for number in range(first, first + SPANS):
        trace, span_id, response = _ids(number)
        start = time.time_ns()
        span = scope.spans.add(
            trace_id=trace, span_id=span_id, name="chat gpt-4o-mini", kind=3,
            start_time_unix_nano=start, end_time_unix_nano=start + 700_000_000,
        )  # fmt: skip
        said = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-2024-07-18",
            "gen_ai.response.id": response.decode(), "user.id": f"user-{rng.randrange(2_000)}",
            "session.id": f"session-{rng.randrange(500)}",
            "gen_ai.input.messages": _messages("user", rng.choice(texts)),
            "gen_ai.output.messages": _messages("assistant", rng.choice(texts)),
        }  # fmt: skip
        for key, text in said.items():
            span.attributes.add(key=key).value.string_value = text
        for key, count in (("gen_ai.usage.input_tokens", 230), ("gen_ai.usage.output_tokens", 260)):
            span.attributes.add(key=key).value.int_value = count
    return request.SerializeToString()


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def send(url: str, requests: Requests, seconds: float, rate: float) -> Sent:
    """Send for some seconds, one request at a time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    sent = Sent()
    begun, cpu = time.perf_counter(), time.process_time()
    due = begun
    while (now := time.perf_counter()) < begun + seconds:
        if rate:
            time.sleep(max(0.0, due - now))
            due += SPANS / rate
        body = requests.next()
        asked = time.perf_counter()
        connection.request("POST", "/v1/traces", body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        answer.read()
        sent.waits_ms.append((time.perf_counter() - asked) * 1000)
        if answer.status == 200:
            sent.spans += SPANS
        else:
            sent.refused += 1
    sent.seconds, sent.cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    return sent


def main() -> None:
    """Send as the arguments say."""
    from bench.workload import Load

    url, place, seconds, rate = sys.argv[1:]
    requests = Requests(int(place), Load(1).texts())
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(send(url, requests, float(seconds), float(rate)))))


if __name__ == "__main__":
    main()
