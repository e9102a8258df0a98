"""What a record must be before it may take a place in the log.

A leaf is for ever: one that can not be read back, or has no place in the columns of an index
object, would stop sealing, opening and querying for good. So each record is looked at first, and
what does not fit is refused alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from logstore.errors import FormatError, UsageError
from logstore.formats.body import MAX_CONTENT
from logstore.formats.clearfields import BY_NAME, MAX_INTEGER, MAX_TEXT, admit
from logstore.formats.pins import KIND, SUPPLEMENT, from_clear, supplement_from_clear
from logstore.formats.record import CAPTURED, Record

_NAMES = frozenset(BY_NAME)
_INTEGERS = frozenset(name for name, field in BY_NAME.items() if field.type == "int")
_LEAST, _MOST = -(2**63), 2**63 - 1
_KEY_ID = 32  # hexadecimal digits
_SHORT_LIST = 8  # longer lists are not worth keeping


def check(record: Record) -> None:
    """Refuse a record that can not become a leaf that everybody can read.

    Raises:
        UsageError: and says what is wrong with it.
    """
    if not (type(record.kind) is type(record.source) is type(record.by) is str):
        raise UsageError("a record's kind, source and writer must be text")
    for number in (record.time_us, record.seq):
        if number is not None and not (type(number) is int and _LEAST <= number <= _MOST):
            raise UsageError("a record's time and sequence number must be integers of 64 bits")
    _check_clear(record.kind, record.clear)
    _check_body(record)


def _check_clear(kind: str, clear: Mapping[str, object]) -> None:
    if kind in CAPTURED and not _NAMES.issuperset(clear):
        unknown = ", ".join(sorted(map(str, clear.keys() - _NAMES)))
        raise UsageError(f"not on the list of clear fields: {unknown}")
    for name, value in clear.items():
        # Spelled out for what nearly every record holds: this stands before every append.
        if type(value) is str and len(value) <= MAX_TEXT:
            fits = _known_fit(name, value)
        elif type(value) is int and name in _INTEGERS:
            fits = -MAX_INTEGER <= value <= MAX_INTEGER
        else:
            fits = value is None or _fits(name, value)
        if not fits and name in _NAMES:
            raise UsageError(f"not fit to stand in clear as {name}; it belongs into the body")
    special = _SPECIAL.get(kind)
    if special is not None:
        special(clear)


def _fits(name: str, value: object) -> bool:
    """Whether a listed field may stand in clear."""
    if type(value) is list and len(value) <= _SHORT_LIST and set(map(type, value)) == {str}:
        return _known_fit(name, tuple(value))
    return admit(name, value) is not None


@functools.lru_cache(16_384)
def _known_fit(name: str, value: str | tuple[str, ...]) -> bool:
    """`_fits` for words, which are judged once: the same few come with every record."""
    return admit(name, list(value) if isinstance(value, tuple) else value) is not None


def _check_body(record: Record) -> None:
    if not isinstance(record.subjects, tuple | list):
        raise UsageError("a record's people must be a tuple of their names")
    for name in (*record.subjects, record.conversation, record.session):
        if type(name) is not str and name is not None:
            raise UsageError("people, conversations and sessions must be named by text")
    if record.content is None:
        return
    if not isinstance(record.content, bytes | bytearray):
        raise UsageError("a record's content must be bytes")
    if len(record.content) > MAX_CONTENT:
        raise UsageError(f"content of {len(record.content)} bytes; {MAX_CONTENT} is the most")


def _check_destroyed(clear: Mapping[str, object]) -> None:
    key = clear.get("key")
    if not isinstance(key, str) or len(key) != _KEY_ID:
        raise UsageError("a key.destroyed record must name the key")


def _check_segment(clear: Mapping[str, object]) -> None:
    try:
        from_clear(dict(clear))
    except FormatError as error:
        raise UsageError(error.what) from None


def _check_supplement(clear: Mapping[str, object]) -> None:
    try:
        supplement_from_clear(dict(clear))
    except FormatError as error:
        raise UsageError(error.what) from None


_SPECIAL: dict[str, Callable[[Mapping[str, object]], None]] = {
    "key.destroyed": _check_destroyed,
    KIND: _check_segment,
    SUPPLEMENT: _check_supplement,
}
"""Kinds that a writer acts on when it reads them back."""
