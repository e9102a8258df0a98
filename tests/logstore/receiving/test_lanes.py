"""Requests are decoded beside one another, by processes that may die and must know no secret."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from support.serving import spans
from support.waiting import until

from logstore.capture import decodepool
from logstore.receiving import lanes
from logstore.receiving.arriving import Arrival
from logstore.receiving.gate import OpenGate
from logstore.receiving.intake import Taken
from logstore.receiving.lanes import LARGE, Decoders, Lanes
from logstore.receiving.limits import Limits

TWO = Limits(decoders=2)
"""Whatever machine this is."""

ANYBODY = OpenGate().admit(Headers(), "write")


def taken(under: Lanes, arrival: Arrival) -> Taken:
    async def both() -> Taken:
        return await under.take(arrival, await under.plain(arrival), ANYBODY)

    return asyncio.run(both())


def test_a_request_becomes_the_same_records_whoever_decodes_it() -> None:
    arrival = Arrival("traces", "live/test", spans(300, first=1).SerializeToString())
    under = Lanes(TWO)
    found = taken(under, arrival)
    wait_for(under)
    helped = taken(under, arrival)
    under.close()
    under = Lanes(Limits(decoders=0))
    alone = taken(under, arrival)
    under.close()
    assert len(alone.records) == 300
    assert found.records == helped.records == alone.records
    assert found.sightings == helped.sightings == alone.sightings


def test_a_small_request_is_answered_while_a_huge_one_is_being_decoded() -> None:
    one = {"model": "m", "messages": [{"role": "user", "content": "x" * 200}]}
    line = json.dumps({"request": one, "response": {"id": "r", "choices": []}}).encode()
    huge = b"[" + b",".join([line] * (2 * LARGE // len(line))) + b"]"
    done: list[str] = []

    async def send(under: Lanes, name: str, body: bytes) -> None:
        arrival = Arrival("records", "live/test", body)
        found = await under.take(arrival, await under.plain(arrival), ANYBODY)
        assert not found.unreadable
        done.append(name)

    async def both() -> None:
        under = Lanes(TWO)
        hold = threading.Event()
        decode = under._large.intake.cut

        def slow(arrival: Arrival, plain: bytes) -> list[object]:
            hold.wait(30)
            return decode(arrival, plain)

        under._large.intake.cut = slow  # type: ignore[method-assign,assignment] - holds it up
        first = asyncio.create_task(send(under, "huge", huge))
        await asyncio.sleep(0)
        await send(under, "small", line)
        assert done == ["small"]
        hold.set()
        await first
        under.close()

    asyncio.run(both())
    assert done == ["small", "huge"]


def test_a_worker_that_was_killed_costs_no_record_and_is_replaced_later() -> None:
    lost: list[bool] = []
    now = [100.0]
    decoders = Decoders(lambda: lost.append(True), 2, clock=lambda: now[0])
    arrival = Arrival("traces", "live/test", spans(50, first=1).SerializeToString())
    under = Lanes(TWO)
    under._decoders.close()
    under._decoders = decoders
    wait_for(under)
    first = decoders._now
    for worker in first._workers._all:
        worker._process.kill()
    assert len(taken(under, arrival).records) == 50
    assert first.lost
    assert len(taken(under, arrival).records) == 50
    assert lost == [True]
    assert decoders._now is first
    now[0] += lanes.REPLACE_S
    assert len(taken(under, arrival).records) == 50
    assert decoders._now is not first
    wait_for(under)
    assert len(taken(under, arrival).records) == 50
    assert not decoders._now.lost
    assert lost == [True]
    under.close()


def test_those_who_still_use_what_was_replaced_may_finish() -> None:
    now = [0.0]
    decoders = Decoders(lambda: None, 2, clock=lambda: now[0])
    with decoders.use() as old:
        old.lost = True
        with decoders.use() as same:
            assert same is old
        now[0] += lanes.REPLACE_S
        with decoders.use() as new:
            assert new is not old
            assert alive(old)
    assert not alive(old)
    assert alive(new)
    decoders.close()


def test_workers_are_told_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRCON_PASSPHRASE", "correct horse")
    monkeypatch.setenv("LANG", "C.UTF-8")
    under = Lanes(TWO)
    wait_for(under)
    pids = [worker._process.pid for worker in under._decoders._now._workers._all]
    told = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]
    under.close()
    assert all(b"LANG=C.UTF-8" in each for each in told)
    assert not any(b"horse" in each or b"AIRCON" in each for each in told)


def wait_for(under: Lanes) -> None:
    """Until both workers have said hello."""
    until(lambda: under._decoders._now._workers.ready == 2)


def alive(decoding: decodepool.Decoding) -> bool:
    return all(worker._process.poll() is None for worker in decoding._workers._all)
