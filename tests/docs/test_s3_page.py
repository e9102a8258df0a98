"""docs/s3.md says of servers and files what code and tests do."""

from __future__ import annotations

import json
import re
from pathlib import Path

from support.s3_habits import table

from logstore.s3.address import Address
from logstore.s3.remote import Remote, encode

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "s3.md").read_text("utf-8")


def test_the_table_of_servers_is_what_the_tests_assert() -> None:
    _, _, rest = PAGE.partition("<!-- made from tests/support/s3_habits.py -->\n")
    shown, end, _ = rest.partition("<!-- the end -->")
    assert end
    assert shown == table(), table()


def test_every_field_of_the_file_is_described() -> None:
    fields = set(json.loads(encode(Remote(Address("evidence")))))
    rows = re.findall(r"^\| (`[a-z_`, ]+) \|", PAGE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)} == fields
