"""What the endpoint does by itself gives way to senders, and hurries when its end is waited for."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from support.inside import Inside, inside
from support.serving import PROTOBUF, spans

from logstore.errors import StoreAway
from logstore.formats.pins import SegmentPin
from logstore.receiving import upkeep
from logstore.receiving.eventlog import EventLog
from logstore.receiving.heartbeats import Heartbeats
from logstore.receiving.upkeep import Upkeep
from logstore.storage.pace import Pace


async def take(running: Inside, first: int) -> None:
    """Some commits, so that sealing has several steps."""
    for at in range(first, first + 1_000, 200):
        body = spans(200, first=at).SerializeToString()
        answer = await running.client.post("/v1/traces", content=body, headers=PROTOBUF)
        assert answer.status_code == 200


def upkeep_of(running: Inside) -> Upkeep:
    """What keeps an endpoint up, too seldom to come in between."""
    return Upkeep(
        running.endpoint,
        Heartbeats("test"),
        EventLog(running.said.append),
        heartbeat_s=60,
        seal_age_s=60,
        on_tick=lambda: None,
    )


async def test_sealing_rests_for_senders_and_not_once_the_end_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(upkeep, "Pace", partial(Pace, rest=rests.append))
    async with inside(tmp_path) as running:
        kept = upkeep_of(running)
        await take(running, 1)
        assert await kept.seal()
        assert rests
        await take(running, 5_000)
        rests.clear()
        running.endpoint.draining = True
        assert await kept.seal()
        assert not rests
    told = running.events("sealed")
    assert [each["first"] for each in told] == [0, told[0]["records"]]


async def test_a_bucket_that_is_away_is_said_once_and_records_are_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with inside(tmp_path) as running:
        kept = upkeep_of(running)
        log = running.endpoint.writer.log
        assert log is not None
        gone = StoreAway("the bucket does not answer", todo="Look at the network.")

        def away(**_: object) -> list[SegmentPin]:
            raise gone

        with monkeypatch.context() as cut:
            cut.setattr(log._sealing, "run", away)
            await take(running, 1)
            assert not await kept.seal()
            kept._tell_away()
            kept._tell_away()
            await take(running, 5_000)
            shown = (await running.client.get("/metrics")).text
            assert "aircon_store_away 1.0" in shown
        assert await kept.seal()
        kept._tell_away()
        assert "aircon_store_away 0.0" in (await running.client.get("/metrics")).text
    told = [each["event"] for each in map(json.loads, running.said) if "store" in each["event"]]
    assert told == ["store-away", "store-back"]
