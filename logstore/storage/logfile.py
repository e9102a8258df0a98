"""``log.json``: what a log is, written once when it is made; and ``store.json`` beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from logstore.errors import FormatError, UsageError
from logstore.formats.custody import MOST_DAYS
from logstore.storage.layout import STORE_FORMAT

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._~-]+)*")


DAY_US = 86_400_000_000
"""Microseconds in a day."""


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long sealed objects are kept at least, in days from their newest record.

    Attributes:
        index_days: index objects: leaves and clear columns.
        body_days: body objects: encrypted content.
        mode: the Object Lock mode that keeps them; left out where nothing but the file system does.
    """

    index_days: int = 3653
    body_days: int = 396
    mode: Literal["COMPLIANCE", "GOVERNANCE"] | msgspec.UnsetType = msgspec.UNSET


class LogFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Description of one log.

    Attributes:
        format: ``aircon-log/1``.
        origin: the log's name, schema-less URL form.
        vkey: the log's note verifier key; informative only, trust comes from a policy file.
        created_us: microseconds since 1970 UTC.
        retention: see `Retention`.
    """

    format: str
    origin: str
    vkey: str
    created_us: int
    retention: Retention

    def encode(self) -> bytes:
        """The object's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def to_clear(self) -> dict[str, object]:
        """The clear fields of the ``log.created`` record, which vouches for this file."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


def from_clear(clear: dict[str, object]) -> LogFile:
    """The description in a ``log.created`` record.

    Raises:
        FormatError: the fields are not those of a description.
    """
    try:
        return msgspec.convert(clear, LogFile)
    except msgspec.ValidationError as error:
        raise FormatError(f"log.created record does not describe a log: {error}") from None


@dataclass(frozen=True, slots=True)
class StoreFile:
    """Description of a store."""

    @staticmethod
    def encode() -> bytes:
        """The object's bytes."""
        return msgspec.json.encode({"format": STORE_FORMAT}) + b"\n"


LOG_FORMAT = "aircon-log/1"

LEAST_DAYS = 184
"""Days of the longest six months: deployers and providers of high-risk AI systems keep the logs
that those generate for at least six months (Regulation (EU) 2024/1689, Articles 19 and 26(6))."""


def check_retention(retention: Retention, *, short: bool) -> Retention:
    """A retention that a new log may have.

    Args:
        retention: what is asked for.
        short: take also one that is shorter than the law asks of high-risk AI systems.

    Raises:
        UsageError: it is too short or too long, or content would outlive its index.
    """
    index, body = retention.index_days, retention.body_days
    if not 1 <= body <= index <= MOST_DAYS:
        raise UsageError(
            f"content can not be kept {body:,} days and its index {index:,}",
            todo=f"Keep both from 1 to {MOST_DAYS:,} days, and the index at least as long.",
        )
    if body < LEAST_DAYS and not short:
        raise UsageError(
            f"{body} days are less than the six months for which the EU AI Act wants the logs of"
            " high-risk systems kept (Articles 19 and 26(6))",
            kept="Nothing was made.",
            todo="Keep both at least 184 days, or say --short-retention where that does not apply.",
        )
    return retention


MAX_LOG_FILE = 2**20
"""Most bytes of a ``log.json``."""


def parse_log_file(data: bytes) -> LogFile:
    """Read ``log.json``.

    Raises:
        FormatError: not exactly the bytes of a log description.
    """
    try:
        log = msgspec.json.decode(data, type=LogFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"log.json cannot be read: {error}") from None
    if log.format != LOG_FORMAT or log.encode() != data:
        raise FormatError("log.json is not in its one spelling")
    return log


def check_origin(origin: str) -> str:
    """An origin in the form C2SP checkpoints want.

    Raises:
        UsageError: it has a scheme, spaces, or characters outside host and path.
    """
    if len(origin) > 200 or not _ORIGIN.fullmatch(origin):
        raise UsageError(
            f"{origin!r} is not an origin",
            todo="Use a URL without its scheme, such as logs.example.com/support-bot.",
        )
    return origin
