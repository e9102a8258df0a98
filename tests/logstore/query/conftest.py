"""A small log with every sort of record, opened both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.fake_reader import FakeReader, reader_of
from support.small_log import small_log

from logstore.query import build, workingcopy
from logstore.query.access import AccessEvent
from logstore.query.engine import Engine

Opener = Callable[..., Engine]


@pytest.fixture
def events() -> list[AccessEvent]:
    return []


@pytest.fixture
def opener(tmp_path: Path, events: list[AccessEvent]) -> Iterator[Opener]:
    opened: list[Engine] = []

    def open_engine(reader: FakeReader, **options: Any) -> Engine:
        options = {"work": tmp_path / "work", "on_access": events.append} | options
        opened.append(Engine.open(reader, **options))
        return opened[-1]

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def reader(tmp_path: Path) -> FakeReader:
    return reader_of(small_log(), tmp_path / "evidence")


@pytest.fixture
def clear_reader(tmp_path: Path) -> FakeReader:
    found = reader_of(small_log(), tmp_path / "evidence", keys=None)
    found.seal(6)
    return found


@pytest.fixture
def engine(opener: Opener, reader: FakeReader) -> Engine:
    return opener(reader)


@pytest.fixture
def clear_engine(opener: Opener, clear_reader: FakeReader) -> Engine:
    return opener(clear_reader)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts from 64 records on, so that few records make many parts."""
    monkeypatch.setattr(build, "FLUSH", 64)
    monkeypatch.setattr(workingcopy, "FLUSH", 64)
    monkeypatch.setattr(workingcopy, "GROUP", 16)
