"""Requests are decoded beside one another, by processes that may die and must know no secret."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from support.serving import spans

from logstore.capture.decodeseat import Worker
from logstore.receiving.arriving import Arrival
from logstore.receiving.decoders import Decoders
from logstore.receiving.gate import OpenGate
from logstore.receiving.intake import Taken
from logstore.receiving.lanes import LARGE, Lanes
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


def test_workers_that_were_killed_cost_no_record_and_are_replaced() -> None:
    lost: list[str] = []
    arrival = Arrival("traces", "live/test", spans(50, first=1).SerializeToString())
    under = Lanes(TWO, lost.append)
    for _ in range(3):
        wait_for(under)
        for worker in workers(under):
            worker._process.kill()
        assert len(taken(under, arrival).records) == 50
    assert 3 <= len(lost) <= 6
    assert set(lost) == {"decoder-died"}
    under.close()


def test_workers_are_told_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRCON_PASSPHRASE", "correct horse")
    monkeypatch.setenv("LANG", "C.UTF-8")
    under = Lanes(TWO)
    wait_for(under)
    pids = [worker._process.pid for worker in workers(under)]
    told = [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]
    under.close()
    assert all(b"LANG=C.UTF-8" in each for each in told)
    assert not any(b"horse" in each or b"AIRCON" in each for each in told)


def wait_for(under: Lanes) -> None:
    """Until both workers have said hello."""
    pool = under._decoding._workers
    assert isinstance(pool, Decoders)
    assert [seat.is_taken() for seat in pool._seats] == [True, True]


def workers(under: Lanes) -> list[Worker]:
    pool = under._decoding._workers
    assert isinstance(pool, Decoders)
    return [seat._worker for seat in pool._seats if seat._worker is not None]
