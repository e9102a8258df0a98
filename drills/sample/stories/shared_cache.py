"""For a day the answer cache forgets whose answer it holds."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from drills.sample.apps.support import Case, hold
from drills.sample.call import Label, Turn
from drills.sample.company import END, MINUTE, START, at
from drills.sample.dice import Dice
from drills.sample.people import People, Person
from drills.sample.stories.plot import Session, Story, in_order, scaled
from drills.sample.traffic import moments

ID = "shared-cache"
FROM, UNTIL = at(12, 14, 5), at(13, 10, 40)
_ASKS = (
    "How much is my last bill and when is it due?",
    "what did I pay last month?",
    "Is my reading booked and what is my balance?",
)
_FAQS = (
    ("When is the office open?", "Mondays to Fridays from 8 to 18 o'clock, Saturdays until 13."),
    ("what does the amber light mean", "Amber means the wallbox waits for the car."),
)


def plan(seed: int, people: People, records: int) -> Story:
    """Pairs of giver and receiver; shared company accounts and common questions look alike."""
    pairs, firms, common = scaled(9, records), scaled(6, records), scaled(10, records)
    return Story(
        id=ID,
        total=2 * (pairs + firms + common),
        sessions=in_order(
            _pairs(Dice(seed, ID, 1), people, pairs),
            _firms(Dice(seed, ID, 2), people, firms),
            _common(Dice(seed, ID, 3), people, common),
        ),
        answers={
            "from_us": FROM,
            "until_us": UNTIL,
            "missing_key_field": "customer number",
            "pairs": pairs,
        },
        people_roles=("giver", "receiver"),
    )


def _pairs(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for place, when in enumerate(moments(dice, count, FROM, UNTIL - 25 * MINUTE)):
        giver, receiver = people.anyone(dice), people.anyone(dice)
        while receiver.number == giver.number:
            receiver = people.anyone(dice)
        special = place % 4 == 1
        answer = _personal(dice, giver, special)
        key = f"wren:v2:balance:{dice.hex(4)}"
        labels = ("giver", "receiver-special-category" if special else "receiver")
        ask = dice.pick(_ASKS)
        yield when, _served_twice(dice, when, (giver, receiver), (ask, answer, key), labels)


def _personal(dice: Dice, person: Person, special: bool) -> str:
    note = " A home dialysis device is registered, so we never cut you off." if special else ""
    return (
        f"{person.name}, {person.street}, {person.city} ({person.customer}): your bill "
        f"LK-{dice.between(100000, 999999)} is €{dice.between(40, 400)}.{dice.between(10, 99)}, "
        f"taken from {person.iban} on {dice.between(16, 28)} November.{note}"
    )


def _served_twice(
    dice: Dice,
    when: int,
    people: tuple[Person, Person],
    said: tuple[str, str, str],
    roles: tuple[str, str],
) -> list[Turn]:
    """The same question by two people, the second answered from the cache."""
    ask, answer, key = said
    later = when + int((1.5 + 20 * dice.random()) * MINUTE)
    turns = []
    for person, start, role in zip(people, (when, later), roles, strict=True):
        case = Case(
            person, start, "wren-messaging", topic="bill", language="en", ask=ask, plain=True
        )
        case.answer = answer
        case.labels = (Label(ID, role),)
        turns += hold(dice, case)
    first, second = turns[0].calls[0], turns[1].calls[0]
    first.cache_key = second.cache_key = key
    second.cache_hit = True
    second.response_id = first.response_id
    second.output, second.served, second.version = first.output, first.served, first.version
    second.datasets, second.stream, second.ttft_us = first.datasets, False, 0
    second.tokens_out = first.tokens_out
    second.end_us = second.start_us + dice.between(3, 11) * 1000
    return turns


def _firms(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, START, END - 25 * MINUTE):
        one = people.anyone(dice)
        other = msgspec.structs.replace(one, nickname=f"{one.nickname}-office")
        key = f"wren:v2:balance:{one.customer}"
        said = (dice.pick(_ASKS), _personal(dice, one, special=False), key)
        roles = ("decoy-shared-account", "decoy-shared-account")
        yield when, _served_twice(dice, when, (one, other), said, roles)


def _common(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, START, END - 25 * MINUTE):
        ask, answer = dice.pick(_FAQS)
        pair = (people.anyone(dice), people.anyone(dice))
        said = (ask, answer, f"wren:v2:faq:{len(answer):04x}")
        yield when, _served_twice(dice, when, pair, said, ("decoy-common", "decoy-common"))
