"""From a `Filter` to SQL conditions; every value is bound, none is pasted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logstore.errors import UsageError
from logstore.query.columns import TEXT_COLUMNS
from logstore.query.filters import Filter
from logstore.query.literals import required_texts
from logstore.query.running import content_needed

MAX_PATTERN = 1_000
"""Longest pattern in characters; RE2 runs in linear time, but large programs cost memory."""

_WORTH_LOOKING = 3
_FIELDS = {
    "any": TEXT_COLUMNS,
    "input": ("input_text",),
    "output": ("output_text",),
    "system": ("system_text",),
    "tool": ("tool_text",),
}
_PLAIN = {
    "model_version": "model_version",
    "application": "application",
    "environment": "environment",
    "operation": "operation",
    "source": "source",
    "kind": "kind",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL and the values bound in it."""

    sql: str
    values: tuple[object, ...] = ()


def all_of(conditions: list[Condition]) -> Condition:
    """Every one of them."""
    if not conditions:
        return Condition("true")
    sql = " AND ".join(f"({each.sql})" for each in conditions)
    return Condition(sql, tuple(value for each in conditions for value in each.values))


Linked = Callable[[Condition], Sequence[int]]
"""Gives the records that later records attribute to a person or session, by a condition on
`user_id` and `session_id`."""


def facts(found: Filter, *, content: bool, linked: Linked = lambda _: ()) -> list[Condition]:
    """Conditions on everything but text.

    Args:
        found: what is asked.
        content: whether content columns exist.
        linked: asks for records that were attributed later.

    Raises:
        KeyUnavailable: it asks for content and there is none.
    """
    if found.needs_content and not content:
        what = "text" if found.text else "user" if found.user is not None else "conversation"
        raise content_needed(what)
    made = [
        _matches(column, value)
        for name, column in _PLAIN.items()
        if (value := getattr(found, name)) is not None
    ]
    if found.user is not None:
        plain = _matches("user_id", found.user)
        made.append(_any_of([_user(found.user), *_among(linked(plain))]))
    if found.conversation is not None:
        made.append(_matches("conversation_id", found.conversation))
    if found.session is not None:
        columns = ("session", "session_id") if content else ("session",)
        later = _among(linked(_matches("session_id", found.session))) if content else []
        made.append(_any_of([*(_matches(column, found.session) for column in columns), *later]))
    if found.model is not None:
        columns = ("response_model", "request_model")
        made.append(_any_of([_matches(column, found.model) for column in columns]))
    return made + _moments(found)


def text(found: Filter) -> Condition | None:
    """The condition on text, or None.

    Raises:
        UsageError: the pattern is too long.
    """
    if not found.text:
        return None
    columns = _FIELDS[found.field]
    if found.regex:
        if len(found.text) > MAX_PATTERN:
            raise UsageError(f"the pattern is longer than {MAX_PATTERN} characters")
        return _pattern(columns, found)
    if found.exact:
        return _over(columns, "contains({}, ?)", found.text)
    return _over(columns, "contains(lower({}), lower(?))", found.text)


def _pattern(columns: tuple[str, ...], found: Filter) -> Condition:
    """RE2, behind a plain search for a text that every match holds: many times faster."""
    test = f"regexp_matches({{}}, ?, '{'c' if found.exact else 'i'}')"
    needed = required_texts(found.text, exact=found.exact)
    if not needed or len(needed[0]) < _WORTH_LOOKING:
        return _over(columns, test, found.text)
    first = "contains({}, ?)" if found.exact else "contains(lower({}), lower(?))"
    return _over(columns, f"{first} AND {test}", needed[0], found.text)


def _over(columns: tuple[str, ...], test: str, *values: str) -> Condition:
    tests = " OR ".join(f"({name} IS NOT NULL AND {test.replace('{}', name)})" for name in columns)
    return Condition(tests, values * len(columns))


def _any_of(conditions: list[Condition]) -> Condition:
    sql = " OR ".join(each.sql for each in conditions)
    return Condition(sql, tuple(value for each in conditions for value in each.values))


def _matches(column: str, value: str) -> Condition:
    if "*" not in value:
        return Condition(f"{column} = ?", (value,))
    return Condition(f"{column} LIKE ? ESCAPE '\\'", (like(value),))


def _user(value: str) -> Condition:
    if "*" in value:
        pattern = like(value)
        return Condition(
            "user_id LIKE ? ESCAPE '\\' OR "
            "len(list_filter(more_users, lambda who: who LIKE ? ESCAPE '\\')) > 0",
            (pattern, pattern),
        )
    return Condition(
        "user_id = ? OR (more_users IS NOT NULL AND list_contains(more_users, ?))", (value, value)
    )


def like(value: str) -> str:
    r"""A LIKE pattern in which only ``*`` of `value` is a wildcard; escape character ``\``."""
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _among(indexes: Sequence[int]) -> list[Condition]:
    if not indexes:
        return []
    return [Condition(f"index IN ({', '.join(str(int(index)) for index in indexes)})")]


def _moments(found: Filter) -> list[Condition]:
    made: list[Condition] = []
    if found.since_us is not None:
        made.append(Condition("time_us >= ?", (found.since_us,)))
    if found.until_us is not None:
        made.append(Condition("time_us < ?", (found.until_us,)))
    if found.errors_only:
        made.append(Condition("error_type IS NOT NULL"))
    return made
