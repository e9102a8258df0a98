"""What is refused: it costs nothing where it is to be sent again, and is kept as it was sent."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from starlette.datastructures import Headers
from support.inside import inside
from support.serving import PROTOBUF, spans
from support.stores import TestStore, chat

from logstore.capture.decodepool import Decoding
from logstore.capture.items import Bad, Item
from logstore.capture.registry import DECODERS
from logstore.errors import UsageError
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.record import INTERACTION, Record
from logstore.receiving import lanes, tokenfile
from logstore.receiving.arriving import Arrival
from logstore.receiving.buckets import Rate
from logstore.receiving.evidence import refused
from logstore.receiving.gate import Sender, billed
from logstore.receiving.intake import Intake, Taken
from logstore.receiving.limits import Limits
from logstore.receiving.refusals import ComeBack, NotTaken
from logstore.receiving.tokenfile import TokenBook
from logstore.receiving.tokengate import TokenGate
from logstore.receiving.tokens import Token, Wish
from logstore.storage import encoding


def _untold(_token: Token) -> None:
    """Tells nobody."""


def _no_interactions(record: Record) -> None:
    if record.kind == INTERACTION:
        raise UsageError("this log takes no interactions")


async def test_a_record_that_the_log_refuses_is_kept_as_its_sender_sent_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = spans(2, first=1, text="Where is my refund?", user="maria")
    async with inside(tmp_path) as running:
        monkeypatch.setattr(encoding, "check", _no_interactions)
        answer = await running.client.post(
            "/v1/traces", content=sent.SerializeToString(), headers=PROTOBUF
        )
        assert answer.status_code == 200
        assert b"kept as opaque evidence" in answer.content
    kept = _evidence(running.store)
    assert [reason for reason, _ in kept] == ["refused-by-log"] * 2
    for _, content in kept:  # the span itself, which its decoder reads
        found = DECODERS["otlp.span"](content.raw)
        assert [subject.id for subject in found.subjects] == ["maria"]
        assert content.format == "capture.rejected"


def _evidence(store: TestStore) -> list[tuple[object, Body]]:
    reader = store.reader()
    return [
        (leaf.clear["reason"], content)
        for _, leaf, content in reader.contents(0, reader.size)
        if leaf.kind == "capture.rejected" and isinstance(content, Body)
    ]


@given(st.binary(max_size=200), st.integers(0, 99))
def test_evidence_of_a_refused_record_stays_its_persons(raw: bytes, seq: int) -> None:
    content = bodies.encode(Body(raw=raw, format="otlp.span", note={"where": "span 7"}))
    record = replace(chat("x", "maria", seq=seq), content=content)
    kept = refused(record, "refused-by-log")
    assert kept.content is not None
    body = bodies.parse(kept.content)
    assert (body.raw, body.note) == (raw, {"where": "span 7"})
    assert (kept.subjects, kept.seq, kept.source) == (("maria",), seq, record.source)
    assert kept.clear == {"reason": "refused-by-log"}


def test_content_that_is_no_body_is_kept_as_it_is() -> None:
    kept = refused(replace(chat("x"), content=b"\xff\xff"), "refused-by-log")
    assert kept.content is not None
    assert bodies.parse(kept.content).raw == b"\xff\xff"


def _sender(
    folder: Path, rate: Rate, clock: Callable[[], float] = lambda: 100.0
) -> tuple[TokenGate, dict[str, str]]:
    """A gate, whose clock stands unless told otherwise, and the headers of the sender it knows."""
    path = folder / "tokens"
    _, text = tokenfile.add(path, Wish("gateway", "gateway", rate=rate), _untold)
    gate = TokenGate(TokenBook(path), clock=clock)
    return gate, {**PROTOBUF, "authorization": f"Bearer {text}"}


async def test_a_request_with_too_many_records_does_not_pay_for_its_bytes(tmp_path: Path) -> None:
    body = spans(5, first=10).SerializeToString()
    counted = ExportMetricsServiceRequest()
    metric = counted.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name = "x" * (len(body) - 50)
    rate = Rate(records_per_s=1, bytes_per_s=len(body) * 2 // 5)  # room for two such requests
    gate, headers = _sender(tmp_path, rate)
    async with inside(tmp_path, gate=gate) as running:

        async def post(path: str, content: bytes) -> int:
            sent = await running.client.post(path, content=content, headers=headers)
            return sent.status_code

        assert await post("/v1/traces", body) == 200
        for first in range(20, 40):
            assert await post("/v1/traces", spans(5, first=first).SerializeToString()) == 429
        assert await post("/v1/metrics", counted.SerializeToString()) == 200
        assert await post("/v1/metrics", counted.SerializeToString()) == 429


@dataclass
class _Work:
    """Requests that were inflated, and that were decoded."""

    inflated: int = 0
    decoded: int = 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        inflate, decode = Intake.plain, lanes.taken

        def inflating(intake: Intake, arrival: Arrival) -> bytes:
            self.inflated += 1
            return inflate(intake, arrival)

        def decoding(arrival: Arrival, cut: list[Item | Bad], by: Decoding) -> Taken:
            self.decoded += 1
            return decode(arrival, cut, by)

        monkeypatch.setattr(Intake, "plain", inflating)
        monkeypatch.setattr(lanes, "taken", decoding)


async def test_a_batch_sent_again_before_its_time_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    gate, headers = _sender(tmp_path, Rate(records_per_s=2), lambda: now)
    headers["content-encoding"] = "gzip"
    work = _Work()
    async with inside(tmp_path, gate=gate) as running:

        async def post(first: int) -> tuple[int, str | None]:
            body = gzip.compress(spans(7, first=first).SerializeToString())
            sent = await running.client.post("/v1/traces", content=body, headers=headers)
            return sent.status_code, sent.headers.get("retry-after")

        work.watch(monkeypatch)
        assert await post(10) == (200, None)
        assert await post(20) == (429, "2")
        assert work == _Work(2, 2)
        for _ in range(20):
            assert await post(20) == (429, "2")
        now += 1.25
        assert await post(20) == (429, "1")
        assert work == _Work(2, 2)
        now += 0.75  # which is what it was told
        assert await post(20) == (200, None)
        assert work == _Work(3, 3)


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_what_was_let_in_together_is_not_all_read_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    gate, headers = _sender(tmp_path, Rate(records_per_s=2, bytes_per_s=10**6))
    headers["content-encoding"] = encoding
    work = _Work()
    limits = Limits(min_free_bytes=0, decoders=0)
    async with inside(tmp_path, limits=limits, gate=gate) as running:

        async def post(first: int) -> int:
            body = spans(9, first=first).SerializeToString()
            content = gzip.compress(body) if encoding else body
            sent = await running.client.post("/v1/traces", content=content, headers=headers)
            return sent.status_code

        assert await post(10) == 200
        work.watch(monkeypatch)
        hold = threading.Event()
        lane = running.endpoint._lanes._small
        for pool in (lane.cutting, lane.decoding):
            pool.submit(hold.wait, 30)  # until all of them are there
        sent = [asyncio.create_task(post(first)) for first in range(100, 400, 10)]
        await running.until(lambda: running.endpoint.backlog.requests == len(sent))
        await asyncio.sleep(0.1)
        hold.set()
        assert await asyncio.gather(*sent) == [429] * len(sent)
        assert work.decoded == 1
        assert gate.admit(Headers(headers), "write")._meter._bytes._level >= 5 * 10**6 - 10**4


def _charged(sender: Sender, error: Exception) -> None:
    """A request that is charged, and then ends in an error."""
    with billed(sender) as bill:
        bill.charge(size=100)
        bill.charge(records=10)
        raise error


@pytest.mark.parametrize("error", [ComeBack(503, "full", "later", 1), ValueError("a fault")])
def test_what_must_be_sent_again_pays_when_it_is_taken(tmp_path: Path, error: Exception) -> None:
    gate, headers = _sender(tmp_path, Rate(records_per_s=2, bytes_per_s=20))
    sender = gate.admit(Headers(headers), "write")
    for _ in range(20):
        with pytest.raises(type(error)):
            _charged(sender, error)
    with pytest.raises(NotTaken):
        _charged(sender, NotTaken(400, "unreadable", "refused for good"))
    for cost in ({"size": 1}, {"records": 1}):  # which stays charged
        with pytest.raises(ComeBack):
            sender.charge(**cost)
