from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.query.literals import required_texts

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "abc",
        "K",
        "s",
        "é",
        " ",
        "-",
        ".",
        "\\.",
        "\\d",
        "\\w+",
        "[ab]",
        "[^]x]",
        "[a\\]b]",
        "[[:alpha:]]",
        "(ab)",
        "(a|b)",
        "a|b",
        "x?",
        "x*",
        "x+",
        "x+?",
        "x{2}",
        "x{0,1}",
        "^",
        "$",
        "\\x41",
        "\\x{41}",
        "\\pL",
        "\\Qa.b\\E",
        "(?i)",
        "(?:ab)?",
        "\\bw",
        "\\n",
        "{",
        "}",
        "]",
        "k{,2}",
    ]
)
TEXTS = st.text(alphabet="abcKkKsSſxAw. é-19]{}", max_size=14)


@settings(max_examples=200, deadline=None)
@given(st.lists(ATOMS, max_size=6).map("".join), TEXTS, st.booleans())
def test_no_match_lacks_a_required_text(pattern: str, text: str, exact: bool) -> None:
    options = "c" if exact else "i"
    try:
        row = duckdb.execute(
            f"SELECT regexp_matches(?, ?, '{options}'), lower(?::VARCHAR)", [text, pattern, text]
        ).fetchone()
    except duckdb.Error:
        return  # RE2 does not take the pattern
    assert row is not None
    if row[0]:
        for needed in required_texts(pattern, exact=exact):
            folded = duckdb.execute("SELECT lower(?::VARCHAR)", [needed]).fetchone()
            assert folded is not None
            assert folded[0] in row[1], (pattern, text, needed)


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("sk-live-[0-9a-f]{6}", ["sk-live-"]),
        ("ignore all.*instructions", ["instructions", "ignore all"]),
        (r"user\d+@example\.org", ["@example.org", "user"]),
        ("colou?r", ["colo", "r"]),
        ("ab+c", ["ab", "c"]),
        ("refund (policy|desk)", []),
        ("(?i)hello", []),
        ("hello(world)bye", ["hello"]),
        (r"one\x41two", ["one"]),
        ("", []),
    ],
)
def test_plain_runs_of_ordinary_patterns_are_found(pattern: str, needed: list[str]) -> None:
    assert required_texts(pattern, exact=True) == needed


def test_without_letter_case_runs_are_cut_where_unicode_folds_differently() -> None:
    assert required_texts("sk-live-9f", exact=False) == ["-live-9f"]
