"""The working copy, the eight forensic questions and substring search, beside JSON lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from bench import peers
from bench.report import Row, spent, turns, warm_ms
from bench.setting import Corpus, Setting
from bench.workload import COMMON, INJECTION, LEAKED, RARE, START_US, STEP_US
from logstore.query.filters import Filter
from logstore.query.forensic import BY_NAME

ABSENT = "quetzalcoatlus-0000"
_AIMS = {"by-id": "<= 20 ms", "by-user": "<= 50 ms", "time-by-version": "<= 50 ms"}
_SAMPLE = 100_000


def working_copy(setting: Setting) -> Iterator[Row]:
    """Building the working copy from nothing, and telling apart which records are of one call."""
    corpus, shared = setting.corpus, setting.shared_corpus
    rate = corpus.records / corpus.build_seconds
    yield Row("working copy", rate, "records/s", "DuckDB read_json -> table", _json_table(corpus))
    yield Row(
        "working copy, shared calls",
        shared.records / shared.build_seconds,
        "records/s",
        "where no call is shared",
        rate,
    )
    took, floor = (spent(each.engine.know_calls) * 1000 for each in (shared, corpus))
    yield Row("telling calls apart, shared calls", took, "ms", "where no call is shared", floor)


def rows(setting: Setting) -> Iterator[Row]:
    """Every question and search."""
    yield from _questions(setting.corpus)
    yield from _searches(setting.corpus)
    yield from _shared(setting)


def blanks(corpus: Corpus) -> dict[str, str | int]:
    """What fills the questions' blanks."""
    row = corpus.engine.sql("SELECT id FROM interactions WHERE index = 12345", limit=1)
    identifier = str(row.to_arrow().column("id")[0].as_py())
    middle = START_US + corpus.records // 2 * STEP_US
    return {
        "since": middle,
        "until": middle + 2 * 86_400_000_000,
        "user": "user7",
        "text": RARE,
        "pattern": "zorb[a-z]+-77[0-9]1",
        "id": identifier,
        "dataset": "kb-17",
    }


def _questions(corpus: Corpus) -> Iterator[Row]:
    filled = blanks(corpus)
    lines = _rg(corpus, str(filled["user"]), "-F")
    for name, question in BY_NAME.items():
        values = {**filled, "text": INJECTION} if name == "injection-then-tool" else filled
        sql = question.fill(**values)
        took = warm_ms(partial(corpus.engine.sql, sql), runs=3)
        yield Row(f"question: {name}", took, "ms", peers.no_ripgrep(), lines, _AIMS.get(name, ""))


def _shared(setting: Setting) -> Iterator[Row]:
    """The questions that count a call once, where a tenth of the records shares its call.

    Each is asked in turns with the same question where no two records are of one call.
    """
    filled = blanks(setting.corpus)
    engines = setting.shared_corpus.engine, setting.corpus.engine
    for name in ("by-user", "time-by-version", "top-users", "versions", "lineage"):
        sql = BY_NAME[name].fill(**filled)
        asks = [partial(spent, partial(engine.sql, sql)) for engine in engines]
        first = asks[0]() * 1000
        took, floor = (1000 * each for each in turns(asks, 5))
        what = f"question: {name}, shared calls"
        yield Row(what, took, "ms", "where no call is shared", floor, _AIMS.get(name, ""))
        yield Row(f"{what}, first", first, "ms", "where no call is shared", floor)


def _rg(corpus: Corpus, needle: str, *options: str) -> float:
    return peers.ripgrep_ms(corpus.jsonl, needle, *options)


def _searches(corpus: Corpus) -> Iterator[Row]:
    for said, needle, aim in (
        ("absent", ABSENT, "<= 0.3x"), ("rare", RARE, "<= 0.3x"), ("leaked key", LEAKED, ""),
        ("common", COMMON, "<= 5x"),
    ):  # fmt: skip
        wanted = Filter(text=needle)
        count = corpus.explorer.select(wanted).count
        took = warm_ms(partial(corpus.explorer.select, wanted), runs=3)
        floor = _rg(corpus, needle, "-F")
        what = f"search, {said} ({count:,} hits)"
        yield Row(what, took, "ms", peers.no_ripgrep(), floor, aim)
    wanted = Filter(text="zorb[a-z]+-77[0-9]1", regex=True)
    took = warm_ms(lambda: corpus.explorer.select(wanted), runs=3)
    yield Row("search, pattern", took, "ms", peers.no_ripgrep(), _rg(corpus, wanted.text))


def _json_table(corpus: Corpus) -> float:
    """Records per second of DuckDB reading part of the JSON lines into a table of its own."""
    import duckdb

    part = corpus.jsonl.with_name("part.jsonl")
    with corpus.jsonl.open("rb") as source, part.open("wb") as target:
        for _, line in zip(range(_SAMPLE), source, strict=False):
            target.write(line)
    count = min(_SAMPLE, corpus.records)
    db = duckdb.connect(part.with_suffix(".duckdb"), config={"threads": os.cpu_count() or 1})
    took = spent(lambda: db.execute(
        "CREATE TABLE log AS SELECT * FROM read_json(?, format = 'newline_delimited')", [str(part)]
    ))  # fmt: skip
    db.close()
    return count / took
