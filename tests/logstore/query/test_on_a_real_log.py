"""The same questions to a real store: real keys, real segments, a real destroyed key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.fake_reader import chat, entry_of
from support.stores import TestStore

from logstore.errors import KeyUnavailable, NotFound
from logstore.query.detail import open_alone
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer
from logstore.query.filters import Filter
from logstore.query.rows import SameCall


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    made = TestStore(tmp_path)
    with made.create() as log:
        for at in range(20):
            user = ("maria", "bob")[at % 2]
            log.append(entry_of(chat(f"question {at} of {user}", f"answer {at}", user=user)).record)
        log.seal()
        for at in range(20, 25):
            log.append(entry_of(chat(f"question {at} late", user="erin")).record)
    return made


def test_sealed_and_unsealed_content_is_found_and_shown(store: TestStore, tmp_path: Path) -> None:
    with Engine.open(store.reader(), work=tmp_path / "work") as engine:
        explorer = Explorer(engine)
        asked = explorer.select(Filter(kind="interaction"))
        assert asked.count == 25
        assert explorer.select(Filter(text="question 7 of bob")).count == 1
        assert explorer.select(Filter(text="LATE")).count == 5
        assert explorer.select(Filter(user="maria")).count == 10
        for row in explorer.rows(asked, 0, 25):
            detail = explorer.detail(row.index)
            assert detail.interaction is not None
            said = detail.interaction.input[0].parts[0].text
            assert (said, row.state) == (row.input_preview, "open")
        assert engine.verified_to <= engine.size


@pytest.mark.parametrize("locked", [False, True])
def test_a_record_read_alone_is_the_one_that_is_shown(
    store: TestStore, tmp_path: Path, locked: bool
) -> None:
    reader = store.reader(locked=locked)
    with Engine.open(reader, work=tmp_path / "work") as engine:
        explorer = Explorer(engine)
        for index in range(reader.size):  # sealed or not, captured or not
            due = explorer.detail(index)
            assert open_alone(reader, index) == replace(due, same=SameCall())
    for nowhere in (-1, reader.size):
        with pytest.raises(NotFound, match="there is no record"):
            open_alone(reader, nowhere)


def test_without_keys_clear_columns_are_the_same(store: TestStore, tmp_path: Path) -> None:
    text = "SELECT index, id, time, request_model, subjects FROM interactions ORDER BY index"
    with (
        Engine.open(store.reader(), work=tmp_path / "work") as opened,
        Engine.open(store.reader(locked=True), work=tmp_path / "other") as locked,
    ):
        assert list(opened.sql(text).rows) == list(locked.sql(text).rows)
        with pytest.raises(KeyUnavailable):
            locked.sql("SELECT user_id FROM interactions")


def test_a_destroyed_key_takes_its_content_out_of_a_rebuilt_copy(
    store: TestStore, tmp_path: Path
) -> None:
    reader = store.reader()
    with Engine.open(reader, work=tmp_path / "work") as engine:
        assert Explorer(engine).select(Filter(text="of maria")).count == 10
        assert reader.keys is not None
        reader.keys.destroy([entry.id for entry in reader.keys.keys_of("maria")])
        reader.refresh()
        engine.rebuild(_period(engine))
        explorer = Explorer(engine)
        assert explorer.select(Filter(text="of maria")).count == 0
        assert explorer.select(Filter(text="of bob")).count == 10
        found = engine.sql("SELECT content_state, count(*) FROM interactions GROUP BY 1 ORDER BY 1")
        assert list(found.rows) == [("destroyed", 10), ("open", 15)]


def test_the_tail_follows_a_writer(store: TestStore, tmp_path: Path) -> None:
    with Engine.open(store.reader(), work=tmp_path / "work") as engine, store.open() as log:
        explorer = Explorer(engine)
        found = explorer.select(Filter(text="breaking news"))
        log.append(entry_of(chat("breaking news", user="maria")).record)
        explorer.refresh()
        found = explorer.extend(found)
        assert found.count == 1
        log.seal()
        explorer.refresh()
        assert explorer.extend(found).count == 1
        assert explorer.rows(found, 0, 1)[0].input_preview == "breaking news"


def _period(engine: Engine) -> str:
    (moment,) = next(engine.sql("SELECT max(recorded) FROM interactions").rows)
    return f"{moment:%Y-%m}"
