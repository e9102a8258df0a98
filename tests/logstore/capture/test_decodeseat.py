"""A worker that dies or hangs is replaced, and only what ended it is left without a record."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.poison import HANGS, KILLS, PATIENCE_S, poisonous

from logstore.capture import decodeseat, decodeworker
from logstore.capture.decodeseat import AGAIN_S, DIED, HUNG, MOST_ENDED, SPARED, Seat
from logstore.capture.decodeworker import Answer, Chunk
from logstore.capture.items import Item


def item(text: str) -> Item:
    row = {"aircon": 1, "response_id": "r", "metadata": {"x": text}}
    return Item(json.dumps(row).encode(), "aircon", "line 1")


def chunk(*texts: str) -> Chunk:
    return Chunk("s", "b", list(range(len(texts))), [item(text) for text in texts])


def told(answer: Answer) -> list[str | int | None]:
    """The number of each record, or why there is none."""
    return [each if isinstance(each, str | None) else each[0].seq for each in answer]


class Clock:
    """Stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def seat(ended: list[str], clock: Clock | None = None) -> Iterator[Seat]:
    """A seat that tells why its workers ended."""
    made = Seat(ended.append, clock or Clock())
    try:
        yield made
    finally:
        made.leave()
        made.close()


@pytest.mark.parametrize(("text", "reason"), [(KILLS, DIED), (HANGS, HUNG)])
def test_only_what_ends_two_workers_is_no_record(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisonous(monkeypatch, PATIENCE_S)
    ended: list[str] = []
    poisoned = chunk("one", text, "three")
    with seat(ended) as here:
        assert here.is_taken()
        assert here.ask(poisoned) is None
        assert here.hung == (reason == HUNG)
        assert told(here.ask_apart(poisoned)) == [0, reason, 2]
        assert ended == [reason] * 2
        assert here.is_taken()
        answer = here.ask(chunk("four"))
    assert answer is not None
    assert told(answer) == [0]
    assert ended == [reason] * 2


def test_a_chunk_full_of_poison_ends_a_few_workers_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poisonous(monkeypatch, PATIENCE_S)
    ended: list[str] = []
    with seat(ended) as here:
        found = told(here.ask_apart(chunk("one", *[KILLS] * 9, "last")))
    assert found == [0, *[DIED] * MOST_ENDED, *[SPARED] * (10 - MOST_ENDED)]
    assert ended == [DIED] * MOST_ENDED


def test_a_worker_has_time_for_each_of_its_items(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = f"import time\ntime.sleep({PATIENCE_S} * 0.4)\n"
    monkeypatch.setattr("support.poison._BUG", _slowly(slow))
    poisonous(monkeypatch, PATIENCE_S)
    ended: list[str] = []
    with seat(ended) as here:
        assert here.is_taken()
        found = here.ask(chunk("one", "two", "three", "four"))
    assert found is not None
    assert told(found) == [0, 1, 2, 3]
    assert ended == []


def _slowly(lines: str) -> str:
    """A worker that does something before each item."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return (
        "from logstore.capture import decodeworker\n"
        f"decodeworker.PATIENCE_S = {PATIENCE_S}\n"
        "sound = decodeworker.sighted\n"
        f"def sighted(item, **more):\n{body}    return sound(item, **more)\n"
        "decodeworker.sighted = sighted\n"
    )


def test_a_large_item_may_take_longer() -> None:
    assert decodeworker.patience(0) == decodeworker.PATIENCE_S
    assert decodeworker.patience(60 * 2**20) == decodeworker.PATIENCE_S + 60


def test_a_worker_that_was_killed_between_two_questions_is_replaced_before_the_next() -> None:
    ended: list[str] = []
    with seat(ended) as here:
        assert here.is_taken()
        assert here._worker is not None
        here._worker._process.kill()
        here._worker._process.wait()
        assert here.is_taken()
        assert here.ask(chunk("one")) is not None
    assert ended == [DIED]


@pytest.mark.parametrize("how", ["no program", "no greeting"])
def test_where_no_worker_can_start_it_is_not_tried_all_the_time(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    clock = Clock()
    with monkeypatch.context() as broken:
        if how == "no program":
            broken.setattr(sys, "executable", "/nowhere/python")
        else:
            broken.setattr(decodeseat, "_PROGRAM", "")
        with seat(ended, clock) as here:
            assert not here.is_taken()
            count = len(ended)
            assert count == (how == "no greeting")
            assert not here.is_taken()
            assert here.ask(chunk("one")) is None
            assert len(ended) == count
            broken.undo()
            assert not here.is_taken()
            clock.now += AGAIN_S
            assert here.is_taken()


def test_what_is_known_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    poisonous(monkeypatch, PATIENCE_S)
    ended: list[str] = []
    with seat(ended) as here:
        found = here.ask_apart(
            chunk("one", KILLS), lambda each: DIED if KILLS.encode() in each.raw else None
        )
    assert told(found) == [0, DIED]
    assert ended == []
