"""The texts files: every question has its answer, every slot can be filled."""

from __future__ import annotations

from importlib.resources import files

import pytest

from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import Facts, Template, raw_texts, texts
from drills.sample.people import People

_SPOKEN = sorted(
    path.name.removesuffix(".toml")
    for path in files("drills.sample").joinpath("texts").iterdir()
    if path.name.startswith(("support_", "office", "forge"))
)


@pytest.mark.parametrize("name", _SPOKEN)
def test_questions_and_answers_stand_at_the_same_places(name: str) -> None:
    assert len(raw_texts(name).get("ask", ())) == len(raw_texts(name).get("done", ()))
    for topic, part in raw_texts(name).items():
        if isinstance(part, dict) and "ask" in part:
            assert len(part["ask"]) == len(part["answer"]), (name, topic)
            assert len(part.get("more", ())) == len(part.get("then", ())), (name, topic)


@pytest.mark.parametrize("name", _SPOKEN)
def test_every_template_can_be_said(name: str) -> None:
    dice = Dice("texts")
    language = name.removeprefix("support_") if name.startswith("support_") else "en"
    facts = facts_about(People(1, 50).customer(3), dice, language)

    def walk(node: object) -> int:
        if isinstance(node, dict):
            return sum(walk(part) for part in node.values())
        if isinstance(node, tuple):
            return sum(walk(part) for part in node)
        assert isinstance(node, Template)
        said = node.render(facts, dice)
        assert "|" not in said
        return 1

    assert walk(texts(name)) >= 25


def test_a_fact_stays_the_same_within_a_session() -> None:
    dice = Dice("facts")
    facts = facts_about(People(1, 50).customer(3), dice)
    template = Template("{invoice} {invoice} {amount}")
    assert template.render(facts, dice) == template.render(facts, dice)


def test_choices_and_plain_angle_brackets() -> None:
    facts = Facts(Dice("g"), {}, {"name": "Ada"})
    said = {Template("<a|b {name}> < c").render(facts, Dice("g", n)) for n in range(40)}
    assert said == {"a < c", "b Ada < c"}


def test_people_are_the_same_each_time_and_all_different() -> None:
    people = People(9, 5000)
    assert people.customer(17) == People(9, 5000).customer(17)
    everyone = [people.customer(number) for number in range(5000)]
    for name in ("user_id", "email", "customer", "nickname"):
        assert len({getattr(person, name) for person in everyone}) == 5000, name
