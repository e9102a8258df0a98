"""Sealed segments become an Iceberg table where they lie, and other engines query it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.bucket_stores import BucketStore, new_store
from support.s3_servers import Server
from support.stores import TestStore, chat

from tests.lake.conftest import PROGRAMS, Run, rows

pytestmark = pytest.mark.slow

COUNTS = (
    "SELECT log, min(date) AS date, count(*) AS n, sum(input_tokens) AS tokens,"
    ' max("index") AS last'
    " FROM records WHERE kind = 'interaction' GROUP BY log"
)


def _filled(store: TestStore, segments: int = 2) -> TestStore:
    with store.create() as log:
        for _ in range(segments):
            for number in range(20):
                log.append(chat("x" * number, f"person-{number % 3}"))
            log.seal()
        log.append(chat("not sealed yet", "person-0"))
    (store.base / "evidence.policy").write_bytes(store.policy().text().encode())
    return store


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _more(store: TestStore) -> None:
    with store.open() as log:
        log.append(chat("later", "person-9"))
        log.seal()


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    return _filled(TestStore(tmp_path))


def _catalog(base: Path, warehouse: str = "") -> list[str]:
    """Words that name a SQL catalog with its warehouse."""
    (base / "warehouse").mkdir(exist_ok=True)
    said = {
        "type": "sql",
        "uri": f"sqlite:///{base}/catalog.db",
        "warehouse": warehouse or f"file://{base}/warehouse",
    }
    return [word for name, text in said.items() for word in ("--property", f"{name}={text}")]


def _register(run: Run, store: TestStore, *words: str, code: int = 0) -> dict[str, Any]:
    done = run("-m", "console", "lake", "register", "--store", store.path, "--json", *words)
    assert done.returncode == code, done.stderr[-3000:]
    facts: dict[str, Any] = json.loads(done.stdout)
    facts["stderr"] = done.stderr
    return facts


def test_duckdb_and_spark_ask_the_table_and_the_next_run_adds_only_what_is_new(
    store: TestStore, with_spark: Run
) -> None:
    before = {path: _state(path) for path in store.path.rglob("*.parquet")}
    words = _catalog(store.base)
    first = _register(with_spark, store, *words)
    assert (first["registered_now"], first["registered_before"]) == (2, 0)
    _more(store)
    second = _register(with_spark, store, *words)
    assert (second["registered_now"], second["registered_before"]) == (1, 2)
    third = _register(with_spark, store, *words)
    assert (third["registered_now"], third["metadata"]) == (0, second["metadata"])

    table = store.reader(locked=True).table(0, store.reader(locked=True).sealed)
    last = max(row["index"] for row in table.to_pylist() if row["kind"] == "interaction")
    day = next(iter(before)).parent.name.removeprefix("date=")
    due = [{"log": "logs.example.com_support", "date": day, "n": 42, "tokens": 399, "last": last}]
    asked = with_spark(PROGRAMS / "duckdb_reads.py", second["metadata"], COUNTS)
    assert rows(asked) == due
    none = COUNTS.replace("kind =", "date = DATE '1999-01-01' AND kind =")
    assert rows(with_spark(PROGRAMS / "duckdb_reads.py", second["metadata"], none)) == []

    files = sorted((store.path / "index").rglob("*.parquet"))
    asked = with_spark(
        PROGRAMS / "spark_reads.py", COUNTS.replace('"', "`"), store.path / "index", *files
    )
    assert rows(asked) == due
    assert {path: _state(path) for path in before} == before  # nothing was copied or touched


def test_the_leaf_comes_out_as_it_was_hashed(store: TestStore, with_lake: Run) -> None:
    made = _register(with_lake, store, *_catalog(store.base))
    sql = 'SELECT "index", hex(leaf) AS leaf, subjects FROM records ORDER BY 1'
    found = rows(with_lake(PROGRAMS / "duckdb_reads.py", made["metadata"], sql))
    reader = store.reader(locked=True)
    assert [bytes.fromhex(row["leaf"]) for row in found] == reader.leaves(0, reader.sealed)
    assert [row["subjects"] for row in found] == reader.table(0, reader.sealed)[
        "subjects"
    ].to_pylist()


def test_what_is_not_what_was_sealed_is_named_and_left_out(
    store: TestStore, with_lake: Run
) -> None:
    changed, whole = sorted((store.path / "index").rglob("*.parquet"))
    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.chmod(0o644)
    changed.write_bytes(data)
    stranger = changed.with_name("seg-000000000900-3.parquet")
    stranger.write_bytes(whole.read_bytes())  # nobody sealed it

    made = _register(with_lake, store, *_catalog(store.base), code=1)
    assert (made["registered_now"], made["refused"]) == (1, 1)
    assert "is not the file that was sealed" in made["stderr"]
    found = rows(
        with_lake(
            PROGRAMS / "duckdb_reads.py", made["metadata"], "SELECT count(*) AS n FROM records"
        )
    )
    assert found == [{"n": store.reader(locked=True).pins[1].count}]


def test_a_file_that_somebody_adds_to_the_table_is_named(store: TestStore, with_lake: Run) -> None:
    words = _catalog(store.base)
    _register(with_lake, store, *words)
    real = min((store.path / "index").rglob("*.parquet"))
    stranger = real.with_name("seg-000000000900-3.parquet")
    stranger.write_bytes(real.read_bytes())
    adding = (
        "import sys; from pyiceberg.catalog import load_catalog\n"
        "given = dict(word.split('=', 1) for word in sys.argv[2:])\n"
        "load_catalog('default', **given).load_table('aircon.records').add_files([sys.argv[1]])"
    )
    done = with_lake("-c", adding, f"file://{stranger}", *words[1::2])
    assert done.returncode == 0, done.stderr
    told = _register(with_lake, store, *words, code=1)
    assert f"nobody sealed: file://{stranger}" in told["stderr"]


def test_a_table_of_an_earlier_release_gets_the_new_columns(
    store: TestStore, with_lake: Run
) -> None:
    words = _catalog(store.base)
    earlier = (
        "import sys; from logstore.lake import catalog, tableschema\n"
        "del tableschema.COLUMNS['input_tokens']\n"
        "given = dict(word.split('=', 1) for word in sys.argv[1:])\n"
        "catalog.open_table(catalog.TableName('default', 'aircon.records', given), '/elsewhere')"
    )
    done = with_lake("-c", earlier, *words[1::2])
    assert done.returncode == 0, done.stderr
    made = _register(with_lake, store, *words)
    found = rows(with_lake(PROGRAMS / "duckdb_reads.py", made["metadata"], COUNTS))
    assert found[0]["tokens"] == 380


def test_the_table_keeps_out_of_the_store(store: TestStore, with_lake: Run) -> None:
    before = sorted(store.path.rglob("*"))
    words = _catalog(store.base, f"file://{store.path}/warehouse")
    done = with_lake("-m", "console", "lake", "register", "--store", store.path, *words)
    assert done.returncode == 3
    assert "inside the store" in done.stderr
    assert sorted(store.path.rglob("*")) == before


def test_a_catalog_that_is_not_there_is_told_in_words(store: TestStore, with_lake: Run) -> None:
    lost = ("--property", "type=sql", "--property", "uri=sqlite:////nonexistent/catalog.db")
    for words, code in ((lost, 8), ((), 3), (("--table", "records", *_catalog(store.base)), 3)):
        done = with_lake("-m", "console", "lake", "register", "--store", store.path, *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


def test_a_bucket_is_registered_by_its_address_and_what_lies_over_an_object_is_not(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_lake: Run
) -> None:
    store = new_store(server, tmp_path / "store", monkeypatch)
    assert isinstance(store, BucketStore)
    _filled(store)
    bucket, remote = store.bucket, store.remote
    covered = store.reader(locked=True).pins[1].index.key
    bucket.client.put_object(
        Bucket=remote.address.bucket, Key=remote.address.key(covered), Body=b"over it"
    )
    address = str(remote.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    words = [
        *_catalog(tmp_path, f"s3://{remote.address.bucket}/lake"),
        "--property", f"s3.endpoint={address}",
    ]  # fmt: skip
    made = _register(with_lake, store, *words, code=1)
    assert (made["registered_now"], made["refused"]) == (1, 1)
    assert "something else lies over it" in made["stderr"]
    asked = with_lake(
        PROGRAMS / "duckdb_reads.py", made["metadata"], COUNTS, address.removeprefix("http://"),
        PATH=os.environ["PATH"],
    )  # fmt: skip
    (row,) = rows(asked)
    assert (row["n"], row["tokens"]) == (20, 190)
