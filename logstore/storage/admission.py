"""What a record must be before it may take a place in the log.

A leaf is for ever: one that can not be read back, or has no place in the columns of an index
object, would stop sealing, opening and querying for good. So each record is looked at first, and
what does not fit is refused alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from logstore.errors import FormatError, UsageError
from logstore.formats.body import MAX_CONTENT
from logstore.formats.clearfields import BY_NAME, admit
from logstore.formats.pins import KIND, SUPPLEMENT, from_clear, supplement_from_clear
from logstore.formats.record import CAPTURED, Record

_NAMES = frozenset(BY_NAME)
_LEAST, _MOST = -(2**63), 2**63 - 1
_KEY_ID = 32  # hexadecimal digits


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
        if name in _NAMES and value is not None and admit(name, value) is None:
            raise UsageError(f"not fit to stand in clear as {name}; it belongs into the body")
    special = _SPECIAL.get(kind)
    if special is not None:
        special(clear)


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
