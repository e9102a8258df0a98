"""Whom later records name, laid over the earlier ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.stores import TestStore, chat

from logstore.capture.interaction import Subject
from logstore.capture.items import Context
from logstore.capture.linking import linked
from logstore.formats.body import Body, encode
from logstore.formats.record import Record
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter

PEOPLE = ("zoe", "adam", "mia", "bob", "yara", "carl", "nina", "dora", "will", "eve", "uma", "finn")


def naming(*people: str, indexes: list[int]) -> Record:
    who = Context(tuple(Subject(person, "user.id", "sdk") for person in people))
    return linked(who, indexes, source="test", by="test", basis="trace")


def people_of(engine: Engine, index: int) -> list[str]:
    ((user, everybody),) = engine.sql(
        f"SELECT user_id, user_ids FROM interactions WHERE index = {index}"
    ).rows
    assert everybody[0] == user
    return list(everybody)


def test_linked_people_stand_in_the_order_in_which_they_were_named(tmp_path: Path) -> None:
    made = TestStore(tmp_path)
    with made.create() as log:
        own = log.append(chat("asked by two", "yara", "adam")).index
        nobody = [log.append(chat(f"nobody {n}")).index for n in range(20)]
        log.append(naming(*PEOPLE[:3], indexes=[own, *nobody]))
        log.append(naming("bob", "zoe", *PEOPLE[3:], indexes=[own, *nobody]))
    expected = list(PEOPLE)
    with Engine.open(made.reader(), work=tmp_path / "work") as engine:
        for index in nobody:
            assert people_of(engine, index) == expected
        of_its_own = ["yara", "adam", *(who for who in PEOPLE if who not in ("yara", "adam"))]
        assert people_of(engine, own) == of_its_own
        explorer = Explorer(engine)
        found = explorer.select(Filter(kind="interaction", text="nobody"))
        assert {row.user for row in explorer.rows(found, 0, 50)} == {"zoe"}


def test_people_and_models_of_a_session_are_listed_by_name(tmp_path: Path) -> None:
    made = TestStore(tmp_path)
    with made.create() as log:
        for person in PEOPLE:
            raw = b'{"aircon":1,"operation":"chat","session_id":"s1"}'
            said = Body(raw=raw, format="aircon", subjects=[person], session="s1")
            log.append(replace(chat("together", person), content=encode(said)))
    with Engine.open(made.reader(), work=tmp_path / "work") as engine:
        ((people, models),) = engine.sql("SELECT user_ids, models FROM sessions").rows
    assert people == sorted(PEOPLE)
    assert models == ["gpt-5"]
