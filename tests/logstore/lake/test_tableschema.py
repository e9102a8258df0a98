"""The table's columns are those of the sealed files, and the page describes each."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from logstore.errors import TamperingFound
from logstore.formats.columns import schema
from logstore.lake.tableschema import COLUMNS, PARTITIONS, spelled
from logstore.storage.layout import index_object, index_partition

PAGE = Path(__file__).resolve().parents[3] / "docs/lake.md"


def test_the_table_has_what_the_files_have_behind_what_their_names_say() -> None:
    assert list(COLUMNS) == [*PARTITIONS, *schema().names]


def test_the_page_describes_every_column_as_it_is() -> None:
    table = PAGE.read_text("utf-8").partition("|---|---|---|\n")[2]
    assert table.splitlines() == [
        f"| `{name}` | {spelled(kind)} | {help_} |" for name, (kind, help_) in COLUMNS.items()
    ]
    assert all(help_ for _, help_ in COLUMNS.values())


def test_log_and_day_are_read_from_an_index_objects_name() -> None:
    key = index_object("logs.example.com/support", 7, 3, 1_795_000_000_000_000)
    assert index_partition(key) == ("logs.example.com_support", dt.date(2026, 11, 18))


@pytest.mark.parametrize(
    "key",
    [
        "body/log=a/date=2026-11-18/seg-000000000000-1.parquet",
        "index/log=a/date=2026-13-18/seg-000000000000-1.parquet",
        "index/log=a/b/date=2026-11-18/seg-000000000000-1.parquet",
        "index/log=a/date=2026-11-18/x/seg-000000000000-1.parquet",
        "index/log=a/date=2026-11-18/seg-000000000000-1.parquet\n",
    ],
)
def test_other_names_are_refused(key: str) -> None:
    with pytest.raises(TamperingFound):
        index_partition(key)
