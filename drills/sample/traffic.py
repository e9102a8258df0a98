"""Everyday traffic: when people come, which application they use, until the count is reached."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from drills.sample.apps import agent, office, search, support
from drills.sample.call import Turn
from drills.sample.company import DAYS, HOUR, START
from drills.sample.dice import Dice
from drills.sample.people import People

# Sessions per hour of an ordinary day (UTC), for customers, staff, partners and the mail batch.
_CUSTOMERS = (
    4,
    3,
    2,
    2,
    3,
    8,
    22,
    45,
    70,
    80,
    78,
    70,
    66,
    62,
    60,
    62,
    68,
    80,
    92,
    95,
    78,
    50,
    25,
    10,
)
_STAFF = (0, 0, 0, 0, 0, 1, 10, 45, 90, 100, 96, 70, 50, 85, 92, 80, 50, 20, 6, 4, 3, 2, 1, 0)
_PARTNERS = (
    20,
    18,
    18,
    18,
    20,
    26,
    40,
    55,
    66,
    70,
    70,
    70,
    66,
    66,
    66,
    66,
    70,
    74,
    74,
    66,
    50,
    40,
    30,
    24,
)
_NIGHT_BATCH = (0, 60, 60, 30, *(0,) * 20)
_RHYTHMS = {"customers": _CUSTOMERS, "staff": _STAFF, "partners": _PARTNERS, "batch": _NIGHT_BATCH}
_WEEKEND = {"customers": 0.7, "staff": 0.06, "partners": 0.8, "batch": 1.0}

# application: (rhythm, share of calls in thousandths, mean calls per session)
_MIX = {
    "wren-web": ("customers", 300, 3.1),
    "wren-messaging": ("customers", 210, 2.3),
    "insight-api": ("partners", 120, 1.0),
    "heron-search": ("staff", 120, 3.0),
    "forge-agent": ("staff", 120, 7.1),
    "contract-reader": ("staff", 25, 1.0),
    "quill-letters": ("staff", 25, 1.0),
    "ledger-desk": ("staff", 25, 1.0),
    "campaign-studio": ("staff", 20, 1.0),
    "people-desk": ("staff", 20, 1.0),
    "mail-triage": ("batch", 20, 1.0),
    "field-notes": ("staff", 15, 1.0),
}
_NAMES = tuple(_MIX)


def _weight(app: str, hour: int) -> float:
    rhythm, share, calls = _MIX[app]
    day, clock = divmod(hour, 24)
    weekend = day % 7 >= 5  # 2 November 2026 is a Monday
    if rhythm == "batch":
        return (
            share / calls * (_NIGHT_BATCH[clock] if day % 7 == 6 else 0) / (2 * sum(_NIGHT_BATCH))
        )
    curve = _RHYTHMS[rhythm]
    factor = _WEEKEND[rhythm] if weekend else 1.0
    return share / calls * curve[clock] * factor / (sum(curve) * (10 + 4 * _WEEKEND[rhythm]))


def _calls(app: str, hour: int) -> float:
    return _weight(app, hour) * _MIX[app][2]


_HOURS = DAYS * 24
_BY_HOUR = tuple(tuple(accumulate(_weight(app, hour) for app in _NAMES)) for hour in range(_HOURS))
_ELAPSED = tuple(accumulate(sum(_calls(app, hour) for app in _NAMES) for hour in range(_HOURS)))


def moment(share: float) -> int:
    """The time at which that share (0 to 1) of the fortnight's calls have been made."""
    wanted = min(max(share, 0.0), 0.999999) * _ELAPSED[-1]
    hour = bisect_right(_ELAPSED, wanted)
    before = _ELAPSED[hour - 1] if hour else 0.0
    part = (wanted - before) / (_ELAPSED[hour] - before)
    return START + hour * HOUR + int(part * HOUR)


def share_of(when_us: int) -> float:
    """The share of the fortnight's calls made until then: the inverse of `moment`."""
    hour, rest = divmod(min(max(when_us - START, 0), _HOURS * HOUR - 1), HOUR)
    before = _ELAPSED[hour - 1] if hour else 0.0
    return (before + (_ELAPSED[hour] - before) * rest / HOUR) / _ELAPSED[-1]


def moments(dice: Dice, count: int, first_us: int, last_us: int) -> Iterator[int]:
    """`count` moments in order between two, as busy as everyday traffic at that hour."""
    low, high = share_of(first_us), share_of(last_us)
    for place in range(count):
        yield max(first_us, moment(low + (high - low) * (place + dice.random()) / count))


def sessions(dice: Dice, people: People, total: int) -> Iterator[tuple[int, list[Turn]]]:
    """Sessions in order of their start, holding exactly `total` calls together."""
    made = 0
    while made < total:
        start = moment((made + dice.random()) / total)
        turns = _session(dice, people, start)
        made += sum(len(turn.calls) for turn in turns)
        if made > total:
            turns = _shortened(turns, made - total)
        yield start, turns


def _shortened(turns: list[Turn], surplus: int) -> list[Turn]:
    while surplus >= len(turns[-1].calls):
        surplus -= len(turns.pop().calls)
    if surplus:
        turns[-1].calls = turns[-1].calls[:-surplus]
    return turns


def _session(dice: Dice, people: People, start: int) -> list[Turn]:
    row = _BY_HOUR[(start - START) // HOUR]
    app = _NAMES[bisect_right(row, dice.random() * row[-1] * 0.9999999)]
    if app in {"wren-web", "wren-messaging"}:
        return support.ambient(dice, people.someone(dice), start, app)
    if app == "forge-agent":
        return [agent.everyday(dice, people, start)]
    if app == "heron-search":
        return [search.search(dice, people.someone(dice), start)]
    return office.ambient(dice, people, start, app)
