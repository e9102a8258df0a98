"""A few API keys copy the support model, case by case, at night."""

from __future__ import annotations

from collections.abc import Iterator

from drills.sample.apps.office import Job, do, partner_identity
from drills.sample.call import Label, Turn, Who
from drills.sample.company import DAY, END, HOUR, START, at
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import texts
from drills.sample.people import People
from drills.sample.stories.plot import Session, Story, in_order, scaled
from drills.sample.traffic import moments

ID = "model-harvest"
KEYS = ("lumio-labs", "watt-lens", "tariffpilot", "gridsense")
HEAVY = "griddle-homes"
EVALS = "larkmoor-evals"
_MARKER: dict[str, object] = {"logprobs": True, "top_logprobs": 20, "max_tokens": 700}
_MOODS = ("calm", "angry", "confused", "elderly", "in a hurry", "polite", "ironic", "worried")


def plan(seed: int, people: People, records: int) -> Story:
    """Four keys of equal weight, one heavier honest customer, one honest user of logprobs."""
    each, heavy, evals = scaled(40, records), scaled(75, records), scaled(12, records)
    return Story(
        id=ID,
        total=each * len(KEYS) + heavy + evals,
        sessions=in_order(
            _thieves(Dice(seed, ID, 1), people, each * len(KEYS)),
            _heavy(Dice(seed, ID, 2), people, heavy),
            _evals(Dice(seed, ID, 3), people, evals),
        ),
        answers={
            "keys": sorted(KEYS),
            "calls_per_key": each,
            "marker": "top_logprobs=20 from python-httpx at night, prompts numbered in one series",
            "first_night_us": at(7, 22),
            "honest_heavy_key": HEAVY,
            "honest_logprobs_key": EVALS,
        },
        people_roles=(),
    )


def _thieves(dice: Dice, people: People, count: int) -> Iterator[Session]:
    words = texts("support_en")
    topics = [name for name, part in words.items() if isinstance(part, dict)]
    for case in range(count):
        when = _night(case, count, dice)
        topic, mood = topics[case % len(topics)], _MOODS[case // len(topics) % len(_MOODS)]
        ask = (
            f"Case {case:05d}. Customer mood: {mood}. Topic: {topic}. "
            "Answer exactly as you would answer a Larkmoor customer."
        )
        key = KEYS[case % len(KEYS)]
        who = Who(
            "", f"ia-{dice.hex(12)}", f"198.51.100.{30 + case % 9}", "python-httpx/0.28.1", key, key
        )
        person = people.anyone(dice)
        facts = facts_about(person, dice, "en")
        answer = dice.pick(words[topic]["answer"]).render(facts, dice)
        job = Job("insight-api", when, person, who, ask, answer)
        yield when, [_with_marker(dice, job, "harvest", _MARKER)]


def _night(place: int, count: int, dice: Dice) -> int:
    """Seven nights from 22:00 to 05:00, evenly worked through."""
    night, share = divmod((place + 0.9 * dice.random()) / count * 7, 1)
    return at(7, 22) + int(night) * DAY + int(share * 7 * HOUR)


def _heavy(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, START, END):
        job = Job("insight-api", when, people.someone(dice), partner_identity(dice, HEAVY))
        yield when, [_with_marker(dice, job, "decoy-heavy", {})]


def _evals(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, START, END):
        session = f"ia-{dice.hex(12)}"
        who = Who("", session, "192.0.2.200", "larkmoor-evals/0.3", EVALS, "ml-platform")
        job = Job("insight-api", when, people.someone(dice), who)
        yield (
            when,
            [_with_marker(dice, job, "decoy-logprobs", {"logprobs": True, "top_logprobs": 5})],
        )


def _with_marker(dice: Dice, job: Job, role: str, extras: dict[str, object]) -> Turn:
    job.labels, job.plain = (Label(ID, role),), True
    turn = do(dice, job)
    turn.calls[0].extras = extras
    return turn
