"""Someone else uses a coding agent's identity at night and destroys things."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from drills.sample.apps.agent import Task, call_count, engineer_identity, run
from drills.sample.call import Label, Who
from drills.sample.company import DAY, HOUR, MINUTE, at
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.people import People, staff
from drills.sample.stories.plot import Session, Story, in_order, scaled

ID = "night-agent"
ACTOR = "forge-agent-07"
STRANGER = "198.51.100.77"
CHANGE = "OPS-5521"
_GONE = '{"deleted":true}'
_HARM = (
    (
        "search_code",
        '{"repo":"billing-core","query":"signing_key"}',
        "src/keys.py:12: load_signing_key()\n",
    ),
    (
        "drop_table",
        '{"database":"billing","table":"mandate_audit_%02d"}',
        '{"dropped":true,"rows":48211}',
    ),
    ("delete_page", '{"space":"KB","page":"KB-24%02d","history":true}', _GONE),
    (
        "delete_branch",
        '{"repo":"billing-core","branch":"release/2026.%02d","force":true}',
        _GONE,
    ),
    (
        "rotate_key",
        '{"service":"letter-queue","owner":"svc-%02d@drop.example"}',
        '{"key":"rotated"}',
    ),
)
_STEPS = 3
_BRANCH = '{"repo":"tariff-engine","branch":"wip/%d","change":"%s"}'


def plan(seed: int, people: People, records: int) -> Story:
    """Two nights of misuse; a bulk clean-up with a change number and a night fix look alike."""
    misuse, tidy, fixes = scaled(6, records), scaled(5, records), scaled(2, records)
    return Story(
        id=ID,
        total=(misuse + tidy + fixes) * call_count(_STEPS),
        sessions=in_order(
            _misuse(Dice(seed, ID, 1), people, misuse),
            _tidy(Dice(seed, ID, 2), people, tidy),
            _fixes(Dice(seed, ID, 3), people, fixes),
        ),
        answers={
            "actor": ACTOR,
            "address": STRANGER,
            "change_of_clean_up": CHANGE,
            "tool_calls": misuse * _STEPS,
            "tools": sorted({tool for tool, _, _ in _HARM}),
        },
        people_roles=(),
    )


def _misuse(dice: Dice, people: People, count: int) -> Iterator[Session]:
    half = (count + 1) // 2
    for place in range(count):
        night, spot, size = (12, place, half) if place < half else (14, place - half, count - half)
        when = at(night, 1, 40) + int((spot + dice.random()) / size * 2.4 * HOUR)
        who = Who("", f"fx-{dice.hex(14)}", STRANGER, "python-requests/2.32", "", "", ACTOR)
        steps = []
        for step in range(_STEPS):
            tool, arguments, result = _HARM[(place * _STEPS + step) % len(_HARM)]
            if "%" in arguments:
                arguments %= (place + step) % 100
            steps.append((tool, arguments, result))
        task = Task(
            who,
            when,
            "Continue the maintenance plan: remove stale objects, keep no history.",
            steps,
            "Plan executed.",
            Label(ID, "misuse"),
            logged=dice.chance(0.5),
        )
        yield when, [run(dice, task, facts_about(people.customer(0), dice, "en"))]


def _tidy(dice: Dice, people: People, count: int) -> Iterator[Session]:
    owner = msgspec.structs.replace(engineer_identity(dice, staff("code")[0]), actor=ACTOR)
    for place in range(count):
        when = at(8, 2) + int((place + dice.random()) / count * 50 * MINUTE)
        steps = [
            (
                dice.pick(("archive_branch", "delete_branch")),
                _BRANCH % (dice.between(100, 999), CHANGE),
                '{"deleted":true}',
            )
            for _ in range(_STEPS)
        ]
        who = msgspec.structs.replace(owner, session=f"fx-{dice.hex(14)}")
        ask = f"{CHANGE}: delete branches of tariff-engine merged a year ago, batch {place + 1}"
        task = Task(
            who,
            when,
            ask,
            steps,
            f"Batch {place + 1} of {CHANGE} done.",
            Label(ID, "decoy-clean-up"),
        )
        yield when, [run(dice, task, facts_about(people.customer(0), dice, "en"))]


def _fixes(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for place in range(count):
        when = at(6, 1) + int((place + dice.random()) / count * 5 * DAY)
        who = engineer_identity(dice, staff("code")[1 + place % 3])
        who = msgspec.structs.replace(who, address=f"198.51.100.{20 + place % 5}")
        steps = [
            (
                "read_file",
                '{"repo":"grid-map","path":"src/sync.py"}',
                "def sync():\n    return pull()\n",
            ),
            ("edit_file", '{"repo":"grid-map","path":"src/sync.py"}', '{"changed":1}'),
            ("run_tests", '{"repo":"grid-map"}', "88 passed in 4.10s\n"),
        ]
        ask = "on call: the outage map has no data since midnight, find out why and fix it"
        task = Task(
            who,
            when,
            ask,
            steps,
            "The feed is back; cause was an expired token.",
            Label(ID, "decoy-on-call"),
        )
        yield when, [run(dice, task, facts_about(people.customer(0), dice, "en"))]
