"""Whatever a sender makes of the processes that decode, the endpoint goes on, and keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from support.inside import Inside, inside
from support.poison import HANGS, KILLS, LONG_S, PATIENCE_S, poisonous
from support.serving import PROTOBUF, spans
from support.stores import TestStore

from logstore.capture import decodepool, decodeseat
from logstore.capture.decodepool import WORTH, Decoded, Decoding
from logstore.capture.decodeseat import DIED, HUNG
from logstore.capture.items import Bad, Item
from logstore.formats.body import Body
from logstore.formats.record import INTERACTION
from logstore.receiving import decoders
from logstore.receiving.decoders import Decoders
from logstore.receiving.limits import Limits

TWO = Limits(decoders=2, min_free_bytes=0)
"""Whatever machine this is."""


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was decoded in this process."""
    decoded: list[bytes] = []

    def here(item: Item, **_: object) -> str:
        decoded.append(item.raw)
        return "decoded-here"

    monkeypatch.setattr(decodepool, "sighted", here)
    yield
    assert decoded == []


async def post(running: Inside, first: int, *texts: str) -> httpx.Response:
    """A request with a span for each text."""
    request = spans(0, first=1)
    for number, text in enumerate(texts, first):
        request.MergeFrom(spans(1, first=number, text=text))
    return await running.client.post(
        "/v1/traces", content=request.SerializeToString(), headers=PROTOBUF
    )


def kept(store: TestStore) -> list[tuple[str, object, bytes]]:
    """Kind, reason and evidence of what a store holds."""
    reader = store.reader()
    return [
        (leaf.kind, leaf.clear.get("reason"), content.raw)
        for _, leaf, content in reader.contents(0, reader.size)
        if isinstance(content, Body)
    ]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("poison", "reason"), [(KILLS, DIED), (HANGS, HUNG)])
async def test_a_span_that_ends_decoders_is_kept_unread_and_the_others_are_stored(
    poison: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch, PATIENCE_S if poison == HANGS else LONG_S)
    async with inside(tmp_path, limits=TWO) as running:
        answer = await post(running, 1, "one", poison, "three")
        assert answer.status_code == 200
        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert partial.rejected_spans == 1
        assert "kept as opaque evidence" in partial.error_message
        assert [each["reason"] for each in running.events("decoder-lost")] == [reason] * 2
        assert running.faults == 0
        assert (await post(running, 10, "four")).content == b""
    found = kept(running.store)
    assert sorted(kind for kind, *_ in found) == ["capture.rejected", *[INTERACTION] * 3]
    ((why, raw),) = [rest for kind, *rest in found if kind == "capture.rejected"]
    assert why == reason
    assert isinstance(raw, bytes)
    assert poison.encode() in raw


@pytest.mark.usefixtures("untouched")
async def test_a_large_span_that_ends_decoders_ends_only_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    async with inside(tmp_path, limits=TWO) as running:
        answer = await post(running, 1, KILLS + "x" * 2 * decodeseat.PIPE)
        assert answer.status_code == 200
        assert len(running.events("decoder-lost")) == 2
    assert [(kind, why) for kind, why, _ in kept(running.store)] == [("capture.rejected", DIED)]


@pytest.mark.usefixtures("untouched")
async def test_who_repeats_poison_ends_no_more_decoders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    async with inside(tmp_path, limits=TWO) as running:
        for first in (5, 4, 3):  # the same span among others, so that no request is a repeat
            answer = await post(running, first, *["fine"] * (5 - first), KILLS)
            assert answer.status_code == 200
        assert len(running.events("decoder-lost")) == 2
    assert sorted(kind for kind, *_ in kept(running.store)) == [
        *["capture.rejected"] * 3,
        *[INTERACTION] * 3,
    ]


@pytest.mark.usefixtures("untouched")
async def test_poison_of_one_sender_leaves_the_requests_of_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch)
    async with inside(tmp_path, limits=TWO) as running:
        sent = [
            post(running, first, *["fine"] * 4, *([KILLS] if first % 30 == 0 else []))
            for first in range(10, 160, 10)
        ]
        answers = await asyncio.gather(*sent)
        assert [answer.status_code for answer in answers] == [200] * 15
    found = kept(running.store)
    assert sum(kind == INTERACTION for kind, *_ in found) == 60
    assert sum(why == DIED for _, why, _ in found) == 5
    assert len(found) == 65


def test_what_no_worker_can_be_had_for_is_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decodeseat, "_PROGRAM", "")
    item = Item(b'{"aircon":1,"response_id":"r"}', "aircon", "line 1")
    with closing(Decoding(2, lambda many: Decoders(many, lambda _: None))) as decoding:
        decoding.expect(WORTH)
        found: list[Decoded] = list(decoding.records([item] * 3, source="s", by="b", seq=1))
    assert not any(isinstance(each, Bad) for each in found)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MOST_KNOWN", 3)
    known = decoders._Known(bytes(32))
    items = [Item(bytes([number]), "aircon", "") for number in range(5)]
    for item in items:
        known.add(item, DIED)
    assert [known.reason(item) for item in items] == [None, None, DIED, DIED, DIED]
    assert known.reason(Item(bytes([4]), "litellm", "")) is None
