from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_reader import Entry, FakeReader, chat, entry_of, reader_of

from logstore.errors import KeyUnavailable, QueryRefused, UsageError
from logstore.query import search
from logstore.query.engine import Engine
from logstore.query.filters import Filter
from logstore.query.parts import GROUP
from logstore.query.where import MAX_PATTERN

WORDS = [
    "Refund",
    "refund",
    "POLICY",
    "Ünïcode",
    "日本語テスト",
    "العربية",
    "ſecret",
    "100%",
    "a_b",
    "\\o/",
    "🙂🙂🙂",
]
COUNT = 5 * GROUP


def prompt_of(index: int) -> str:
    """Groups 0 to 2 are plain, group 3 holds rare words, and the rest is in memory."""
    words = [f"word{index % 97}", "common text"]
    if index // GROUP == 3 or index % 4_001 == 17:
        words.append(WORDS[index % len(WORDS)])
    return " ".join(words)


def entry(index: int) -> Entry:
    call = chat(
        prompt_of(index),
        f"answer {index}",
        user=f"u{index % 50}",
        start_us=1_794_000_000_000_000 + index * 1_000_000,
        error_type="timeout" if index % 100 == 7 else None,
    )
    return entry_of(call)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = tmp_path_factory.mktemp("search")
    reader = FakeReader(entry, COUNT - 300, directory / "e")
    with Engine.open(reader, work=directory / "w") as first:
        assert first.size == COUNT - 300
    with Engine.open(reader, work=directory / "w") as made:
        reader.size = COUNT
        made.refresh()
        assert made.tables.tail_first == COUNT - 300
        yield made


def found_by(engine: Engine, wanted: Filter) -> list[int]:
    with engine.running() as cursor:
        return [int(index) for index in search.matching(cursor, engine.tables, wanted)]


def scanned(engine: Engine, wanted: Filter) -> list[int]:
    """The same question without bitmaps, in one plain scan."""
    from logstore.query.where import all_of, facts, text

    said = text(wanted)
    where = all_of([*facts(wanted, content=True), *([said] if said else [])])
    with engine.running() as cursor:
        rows = cursor.execute(
            f"SELECT index FROM base.records WHERE {where.sql} ORDER BY index", list(where.values)
        ).fetchall()
    return [int(row[0]) for row in rows]


needles = st.one_of(
    st.sampled_from([*WORDS, "common", "zorblatt", "word12", "answer 7", "text Ref", "%", "_"]),
    st.text(alphabet="ReFundÜ日本% _\\", min_size=1, max_size=6),
)


@settings(max_examples=40, deadline=None)
@given(
    text=needles,
    exact=st.booleans(),
    field=st.sampled_from(["any", "input", "output", "tool"]),
    user=st.sampled_from([None, "u7", "u*"]),
)
def test_bitmaps_never_change_what_a_search_finds(
    engine: Engine, text: str, exact: bool, field: Any, user: str | None
) -> None:
    wanted = Filter(text=text, exact=exact, field=field, user=user)
    assert found_by(engine, wanted) == scanned(engine, wanted)


@pytest.mark.parametrize(
    "pattern",
    [
        "refund|policy",
        "ref[u]nd",
        "s[e]cret",
        "answer 1?00$",
        r"word\d+ common",
        r"100\%",
        "日本.テスト",
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_patterns_find_the_same_with_and_without_bitmaps(
    engine: Engine, pattern: str, exact: bool
) -> None:
    wanted = Filter(text=pattern, regex=True, exact=exact)
    assert found_by(engine, wanted) == scanned(engine, wanted)


def test_letter_case_matters_only_when_asked(engine: Engine) -> None:
    loose, exact = (
        found_by(engine, Filter(text="refund")),
        found_by(engine, Filter(text="refund", exact=True)),
    )
    assert set(exact) < set(loose)
    assert {prompt_of(index).split()[-1] for index in loose} == {"Refund", "refund"}


def test_wildcards_of_sql_are_plain_letters(engine: Engine) -> None:
    assert found_by(engine, Filter(text="100%")) == [
        index for index in range(COUNT) if "100%" in prompt_of(index)
    ]
    assert found_by(engine, Filter(user="u_")) == []
    assert len(found_by(engine, Filter(user="u1*"))) == len(
        [index for index in range(COUNT) if str(index % 50).startswith("1")]
    )


def test_rare_text_reads_few_groups_and_common_text_is_scanned(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.running() as cursor:
        rare = search.candidate_spans(
            cursor, engine.tables, Filter(text="word12 common text 日本"), 0
        )
        common = search.candidate_spans(cursor, engine.tables, Filter(text="common text"), 0)
    assert rare is not None
    assert sum(high - low for _, spans in rare for low, high in spans) <= 2 * GROUP
    assert common is None


def test_several_conditions_must_all_hold(engine: Engine) -> None:
    wanted = Filter(
        user="u7", errors_only=True, since_us=1_794_000_000_000_000, until_us=1_794_000_500_000_000
    )
    assert found_by(engine, wanted) == [7, 107, 207, 307, 407]


def test_only_new_records_are_looked_at_when_asked_so(engine: Engine) -> None:
    with engine.running() as cursor:
        found = search.matching(cursor, engine.tables, Filter(text="answer"), COUNT - 10)
    assert list(found) == list(range(COUNT - 10, COUNT))


def test_an_unreadable_or_endless_pattern_is_refused(engine: Engine) -> None:
    with pytest.raises(QueryRefused):
        found_by(engine, Filter(text="(unclosed", regex=True))
    with pytest.raises(UsageError):
        found_by(engine, Filter(text="x" * (MAX_PATTERN + 1), regex=True))
    assert found_by(engine, Filter(text="(a|a)*" * 20 + "b{5}$", regex=True)) == []
    with pytest.raises(QueryRefused):
        found_by(engine, Filter(text="((a{100}){100}){100}", regex=True))


@pytest.mark.parametrize("wanted", [Filter(text="x"), Filter(user="u1"), Filter(conversation="c")])
def test_without_a_passphrase_content_filters_are_refused(tmp_path: Path, wanted: Filter) -> None:
    reader = reader_of([entry(0)], tmp_path, keys=None)
    with Engine.open(reader, work=tmp_path / "w") as clear, pytest.raises(KeyUnavailable):
        found_by(clear, wanted)


def test_the_fold_of_a_needle_is_the_fold_of_the_texts() -> None:
    """`lower` maps code point by code point: folding a piece gives a piece of the fold."""
    for word in WORDS:
        row = duckdb.execute("SELECT lower(?), lower(?)", [word, f"x{word}y"]).fetchone()
        assert row is not None
        assert row[1] == f"x{row[0]}y"
