"""The working copy, the eight forensic questions and substring search, beside JSON lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from bench import peers
from bench.report import Row, spent, warm_ms
from bench.setting import Corpus, Setting
from bench.workload import COMMON, INJECTION, LEAKED, RARE, START_US, STEP_US
from logstore.query.filters import Filter
from logstore.query.forensic import BY_NAME

ABSENT = "quetzalcoatlus-0000"
_AIMS = {"by-id": "<= 20 ms", "by-user": "<= 50 ms", "time-by-version": "<= 50 ms"}
_SAMPLE = 100_000


def working_copy(setting: Setting) -> Iterator[Row]:
    """Building the working copy from nothing."""
    corpus = setting.corpus
    yield Row(
        "working copy",
        corpus.records / corpus.build_seconds,
        "records/s",
        "DuckDB read_json -> table",
        _json_table(corpus),
    )


def rows(setting: Setting) -> Iterator[Row]:
    """Every question and search."""
    yield from _questions(setting.corpus)
    yield from _searches(setting.corpus)
    yield from _shared(setting.shared_corpus, blanks(setting.corpus))


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


def _shared(corpus: Corpus, filled: dict[str, str | int]) -> Iterator[Row]:
    """The questions that count a call once, where a tenth of the records shares its call."""
    for name in ("by-user", "time-by-version", "top-users", "versions", "lineage"):
        sql = BY_NAME[name].fill(**filled)
        ask = partial(corpus.engine.sql, sql)
        first = spent(ask) * 1000
        took = warm_ms(ask, runs=3)
        what = f"question: {name}, shared calls"
        yield Row(what, took, "ms", "asked for the first time", first, _AIMS.get(name, ""))


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
