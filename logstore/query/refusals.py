"""DuckDB's refusals in words for people, each with what to do next. Pure.

DuckDB says what it could not do in the words of its own code ("Binder Error: ..."). Those that
people meet are told here in ours; any other keeps DuckDB's sentence without the name of its part.
"""

from __future__ import annotations

import re

_LONGEST = 300
_COLUMNS = "`DESCRIBE interactions` lists the columns of a view, `SHOW TABLES` the views."
_NAME = re.compile(r"^[A-Z][A-Za-z ]{2,30} Error: ")
_MEANT = re.compile(r"(?:Candidate bindings: |Candidate tables: |Did you mean )(.{1,200})")

_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, todo)
    for pattern, what, todo in (
        (
            r'syntax error at or near "(.+)"',
            'it goes wrong at "{0}"',
            "Look at that word and the one before it: a comma, quote or bracket, or its spelling.",
        ),
        (
            r"syntax error at end of input",
            "it ends in the middle",
            "Something is missing at its end: a condition, a name or a closing bracket.",
        ),
        (
            r"unterminated quoted string",
            "a quoted text has no end",
            "Close it with '; write '' for a quote inside a text.",
        ),
        (
            r'Referenced column "([^"]+)" not found',
            'there is no column "{0}"',
            _COLUMNS,
        ),
        (
            r'(?:Table|Values list) "([^"]+)" does not have a column named "([^"]+)"',
            'there is no column "{1}" in "{0}"',
            _COLUMNS,
        ),
        (
            r'Referenced table "([^"]+)" not found',
            'there is no table "{0}" in this question',
            "What stands before the dot must be a view of the FROM, or the name given to it there.",
        ),
        (
            r"Function with name (\S+) does not exist",
            "there is no function {0}()",
            "The functions are DuckDB's; those that reach outside this log are not available.",
        ),
        (
            r"No function matches the given name and argument types '([^']+)'",
            "no function takes these types: {0}",
            "Convert with CAST(x AS BIGINT), VARCHAR or the like; DESCRIBE says a column's type.",
        ),
        (
            r'column "([^"]+)" must appear in the GROUP BY clause',
            '"{0}" is neither grouped nor aggregated',
            "Write GROUP BY ALL, or put it into count(), any_value() or the like.",
        ),
        (
            r"Could not convert string '(.*)' to (\w+)",
            "'{0}' is no {1}",
            "TRY_CAST(x AS type) gives NULL where a value is none.",
        ),
        (
            r"ORDER term out of range - should be between (\d+) and (\d+)",
            "ORDER BY counts the columns from {0} to {1}",
            "Order by one of those numbers, or by a name.",
        ),
        (
            r"Ambiguous reference to column name \"([^\"]+)\"",
            'more than one table has a "{0}"',
            "Say which: write the table's name and a dot before it.",
        ),
    )
)


def explain(said: str) -> tuple[str, str]:
    """(what is wrong, what to do) for a message of DuckDB.

    Args:
        said: the whole message; its first line says what, later ones may name what was meant.
    """
    first = said.strip().split("\n", 1)[0]
    for pattern, what, todo in _KNOWN:
        found = pattern.search(first)
        if found:
            return what.format(*found.groups())[:_LONGEST], f"{_meant(said)}{todo}"
    return _NAME.sub("", first)[:_LONGEST], f"{_meant(said)}{_COLUMNS}"


def _meant(said: str) -> str:
    """What DuckDB takes for meant, as a question; empty where it has no idea."""
    found = _MEANT.search(said)
    if found is None:
        return ""
    names = re.findall(r'"([^"]{1,60})"', found[1])[:4]
    return f"Did you mean {' or '.join(names)}? " if names else ""
