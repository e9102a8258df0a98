"""Work in the background rests, so that what somebody waits for goes first."""

from __future__ import annotations

import threading

import pytest

from logstore.storage.keepup import BackgroundSealing, Sealable
from logstore.storage.pace import MAX_REST_S, SHARE, Pace
from logstore.storage.tally import Progress


def test_after_each_step_it_rests_in_proportion_to_the_work_of_that_step() -> None:
    worked = iter([1.0, 1.02, 1.02, 9.0, 9.0])
    rests: list[float] = []
    pace = Pace(lambda: False, spent=lambda: next(worked), rest=rests.append)
    pace(1, 10)  # how long the first step took is not known
    pace(2, 10)
    pace(3, 10)
    assert rests == [pytest.approx(0.02 * (1 / SHARE - 1)), MAX_REST_S]


def test_in_haste_and_after_the_last_step_it_does_not_rest() -> None:
    worked = iter(range(100))
    rests: list[float] = []
    haste = [True]
    pace = Pace(lambda: haste[0], spent=lambda: next(worked), rest=rests.append)
    pace(1, 10)
    pace(2, 10)
    haste[0] = False
    pace(10, 10)
    assert rests == []
    pace(3, 10)
    assert rests == [MAX_REST_S]


def test_sealing_hurries_when_files_pile_up_and_when_the_log_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logstore.storage.keepup.Pace", lambda haste: haste)
    waiting: list[int] = []
    seen: list[bool] = []
    go_on = threading.Event()

    def seal(progress: Progress) -> None:
        go_on.wait(30)
        seen.append(bool(progress()))  # type: ignore[call-arg] - stands for Pace, asks its haste

    background = BackgroundSealing(
        Sealable(lambda: 10, lambda: len(waiting), lambda: 2**40, waiting.append, seal), 10
    )
    background.keep_up()  # one file waits: time enough
    go_on.set()
    while not seen:
        threading.Event().wait(0.001)
    background.keep_up()  # two wait
    while len(seen) < 2:
        threading.Event().wait(0.001)
    waiting.pop()
    go_on.clear()
    background._start()
    threading.Timer(0.05, go_on.set).start()
    background.shutdown()  # one waits, but somebody waits for the end
    assert seen == [False, True, True]
