"""Filters in words: what the search line of the console and of `aircon search` understands.

    user:maria model:gpt-5* since:2h is:error "refund policy"

Rules of this file:

1. Pure: no clock; the caller brings `now_us`.
2. Words without a key are the text to find; several are joined by one space.
3. `since` is inclusive, `until` exclusive; a bare date after `until:` includes that whole day.
4. `parse_filter(f.to_words(), now_us) == f` for every filter with non-empty values.
5. In values of a word key `*` stands for any run of characters; nothing else is special.
6. An error names the character where it stands, counted from 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, cast, get_args

from logstore.errors import UsageError

Field = Literal["any", "input", "output", "system", "tool"]
"""Which text to look in."""

MAX_FILTER = 8_192
"""Longest filter line in characters."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEY = re.compile(r"([a-z][a-z_]*):(?!//)")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records to show. Empty text and None mean "any"; everything given must hold.

    Attributes:
        text: text to find; a substring, or an RE2 pattern when `regex`.
        regex: `text` is a pattern.
        exact: letter case matters.
        field: which text to look in.
        user: raw identity of a person.
        session: raw session id, or its token.
        conversation: raw conversation id.
        model: requested or answering model.
        model_version: deployed model version.
        application: service name.
        environment: prod, staging ...
        operation: chat, embeddings, execute_tool ...
        source: importer, sender or program that brought it.
        kind: record kind, e.g. ``interaction``; None for all kinds.
        errors_only: only what failed.
        since_us: event time from here, microseconds since 1970 UTC, inclusive.
        until_us: event time to here, exclusive.
    """

    text: str = ""
    regex: bool = False
    exact: bool = False
    field: Field = "any"
    user: str | None = None
    session: str | None = None
    conversation: str | None = None
    model: str | None = None
    model_version: str | None = None
    application: str | None = None
    environment: str | None = None
    operation: str | None = None
    source: str | None = None
    kind: str | None = None
    errors_only: bool = False
    since_us: int | None = None
    until_us: int | None = None

    @property
    def needs_content(self) -> bool:
        """Whether only decrypted content can answer it."""
        return bool(self.text) or self.user is not None or self.conversation is not None

    def to_words(self) -> str:
        """The line that `parse_filter` reads back into this filter."""
        words: list[str] = []
        if self.regex:
            words.append("regex:" + _quoted(self.text))
        elif self.text:
            words.append(_quoted(self.text, always=True))
        if self.exact:
            words.append("case:exact")
        if self.field != "any":
            words.append(f"in:{self.field}")
        for key, name in _NAMES.items():
            value = getattr(self, name)
            if value is not None:
                words.append(f"{key}:{_quoted(value)}")
        if self.errors_only:
            words.append("is:error")
        words += [f"since:{_instant(self.since_us)}"] if self.since_us is not None else []
        words += [f"until:{_instant(self.until_us)}"] if self.until_us is not None else []
        return " ".join(words)

    def describe(self) -> str:
        """One line for a person, e.g. ``user maria, model gpt-5, since 2026-11-20 10:00 UTC``."""
        said: list[str] = []
        if self.text:
            what = "pattern" if self.regex else "text"
            case = " in this letter case" if self.exact else ""
            where = "" if self.field == "any" else f" in {self.field}"
            said.append(f'{what} "{self.text}"{case}{where}')
        for name in _NAMES.values():
            value = getattr(self, name)
            if value is not None:
                said.append(f"{name.replace('_', ' ')} {value}")
        said += ["errors only"] if self.errors_only else []
        said += [f"since {_spoken(self.since_us)}"] if self.since_us is not None else []
        said += [f"until {_spoken(self.until_us)}"] if self.until_us is not None else []
        return ", ".join(said) or "everything"


_NAMES = {
    "user": "user",
    "session": "session",
    "conversation": "conversation",
    "model": "model",
    "version": "model_version",
    "app": "application",
    "env": "environment",
    "op": "operation",
    "source": "source",
    "kind": "kind",
}
"""Word keys that carry one plain value, and the attribute each fills."""

_ALIASES = {
    "field": "in",
    "application": "app",
    "environment": "env",
    "operation": "op",
    "model_version": "version",
    "re": "regex",
}

KEYS: dict[str, str] = {
    "user": "a person's id as the source spells it; * is a wildcard",
    "session": "session id or token",
    "conversation": "conversation id",
    "model": "model asked for or answering, e.g. model:gpt-5*",
    "version": "deployed model version",
    "app": "application (service.name)",
    "env": "environment, e.g. env:prod",
    "op": "operation: chat, embeddings, execute_tool ...",
    "source": "where the record came from",
    "kind": "record kind, e.g. kind:interaction",
    "is": "is:error shows only what failed",
    "in": "in:input, in:output, in:system or in:tool limits where text is looked for",
    "text": "text to find, as if it stood alone",
    "regex": 'pattern to find (RE2), e.g. regex:"sk-[a-z0-9]{20}"',
    "case": "case:exact makes letter case matter",
    "since": "from: 15m, 2h, 3d, 1w ago; today, yesterday; 2026-11-20; 2026-11-20T10:00Z",
    "until": "to, same spellings; a bare date includes that day",
    "on": "one day: on:2026-11-20",
}
"""Every key with one line of help, in the order help shows them."""


class _Word(NamedTuple):
    """One word of the line: where it starts (from 1), its key if it has one, its value."""

    at: int
    key: str | None
    value: str


def parse_filter(line: str, now_us: int) -> Filter:
    """Read a filter line.

    Args:
        line: what a person typed.
        now_us: the moment that durations count back from, microseconds since 1970 UTC.

    Raises:
        UsageError: an unknown key, a value that does not fit, an open quote, a key given twice;
            the message names the character.
    """
    if len(line) > MAX_FILTER:
        raise UsageError(f"the filter is {len(line)} characters long; {MAX_FILTER} are allowed")
    found = Filter()
    seen: dict[str, int] = {}
    text: list[str] = []
    for word in _words(line):
        if word.key is None or word.key == "text":
            text.append(word.value)
            continue
        if word.key in seen:
            raise _error(word, f"{word.key}: is given twice")
        seen[word.key] = word.at
        found = _apply(found, word, now_us)
    if found.regex and text:
        raise UsageError("give either text or regex:, not both")
    if text:
        found = replace(found, text=" ".join(text))
    if (
        found.since_us is not None
        and found.until_us is not None
        and found.since_us >= found.until_us
    ):
        raise UsageError("since: is not before until:, so nothing can match")
    return found


def _apply(found: Filter, word: _Word, now_us: int) -> Filter:
    key, value = word.key or "", word.value
    if key in _NAMES:
        named: dict[str, Any] = {_NAMES[key]: value}
        return replace(found, **named)
    return _SPECIAL[key](found, word, now_us)


def _in(found: Filter, word: _Word, _now_us: int) -> Filter:
    if word.value not in get_args(Field):
        raise _error(word, f"in: takes {', '.join(get_args(Field))}")
    return replace(found, field=cast("Field", word.value))


def _is(found: Filter, word: _Word, _now_us: int) -> Filter:
    if word.value not in {"error", "errors"}:
        raise _error(word, "is: takes error")
    return replace(found, errors_only=True)


def _case(found: Filter, word: _Word, _now_us: int) -> Filter:
    if word.value not in {"exact", "any"}:
        raise _error(word, "case: takes exact or any")
    return replace(found, exact=word.value == "exact")


def _regex(found: Filter, word: _Word, _now_us: int) -> Filter:
    return replace(found, text=word.value, regex=True)


def _since(found: Filter, word: _Word, now_us: int) -> Filter:
    return replace(found, since_us=_moment(word, now_us)[0])


def _until(found: Filter, word: _Word, now_us: int) -> Filter:
    return replace(found, until_us=_moment(word, now_us)[1])


def _on(found: Filter, word: _Word, now_us: int) -> Filter:
    first, after = _moment(word, now_us)
    if first == after:
        raise _error(word, "on: takes a day, e.g. 2026-11-20, today or yesterday")
    return replace(found, since_us=first, until_us=after)


_SPECIAL: dict[str, Callable[[Filter, _Word, int], Filter]] = {
    "in": _in,
    "is": _is,
    "case": _case,
    "regex": _regex,
    "since": _since,
    "until": _until,
    "on": _on,
}


def _words(line: str) -> Iterator[_Word]:
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        start = at
        key, at = _key(line, at)
        value, at = _value(line, at)
        word = _Word(start + 1, key, value)
        if key is not None and not value:
            raise _error(word, f'{key}: has no value; to find the text itself, quote it: "{key}:"')
        if key is not None or value:
            yield word


def _key(line: str, at: int) -> tuple[str | None, int]:
    match = _KEY.match(line, at)
    if match is None:
        return None, at
    key = _ALIASES.get(match[1], match[1])
    if key not in KEYS:
        near = get_close_matches(key, KEYS, 1)
        hint = f"did you mean {near[0]}:?" if near else "to find it as text, put it in quotes"
        raise UsageError(
            f"{match[1]}: at character {at + 1} is not a filter key; {hint}",
            todo="Keys: " + " ".join(f"{name}:" for name in KEYS),
        )
    return key, match.end()


def _value(line: str, at: int) -> tuple[str, int]:
    if at >= len(line) or line[at] != '"':
        end = at
        while end < len(line) and not line[end].isspace():
            end += 1
        return line[at:end], end
    start, at = at, at + 1
    said: list[str] = []
    while at < len(line):
        sign = line[at]
        if sign == '"':
            return "".join(said), at + 1
        if sign == "\\" and line[at + 1 : at + 2] in {'"', "\\"}:
            at += 1
            sign = line[at]
        said.append(sign)
        at += 1
    raise UsageError(f"the quote opened at character {start + 1} is not closed")


def _moment(word: _Word, now_us: int) -> tuple[int, int]:
    """Start of the moment and the first instant after it; equal unless it is a whole day."""
    said = word.value
    if match := _DURATION.fullmatch(said):
        at = now_us - int(match[1]) * _UNITS[match[2]] * 1_000_000
        return at, at
    if said == "now":
        return now_us, now_us
    if re.fullmatch(r"@-?\d{1,19}", said):
        return int(said[1:]), int(said[1:])
    try:
        day = _day(said, now_us)
        if day is not None:
            return _us(day), _us(day + _DAY)
        at = _us(_aware(datetime.fromisoformat(said)))
    except (ValueError, OverflowError):
        raise _error(
            word, f"{word.key}: takes 2h, 3d, today, 2026-11-20 or 2026-11-20T10:00Z"
        ) from None
    return at, at


def _day(said: str, now_us: int) -> datetime | None:
    if said in {"today", "yesterday"}:
        today = (_EPOCH + timedelta(microseconds=now_us)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        return today if said == "today" else today - _DAY
    return _aware(datetime.fromisoformat(said)) if _DATE.fullmatch(said) else None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _instant(us: int) -> str:
    """A spelling of the instant that `_moment` reads back exactly."""
    try:
        moment = _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return f"@{us}"
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _spoken(us: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return f"@{us}"
    return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M") + " UTC"


def _quoted(value: str, *, always: bool = False) -> str:
    plain = value and '"' not in value and not any(sign.isspace() for sign in value)
    if plain and not always:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _error(word: _Word, what: str) -> UsageError:
    return UsageError(f"{what} (at character {word.at})")


assert {field.name for field in fields(Filter)} >= set(_NAMES.values())
