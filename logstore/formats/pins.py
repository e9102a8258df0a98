"""Pins: what ``segment.sealed`` and ``supplement.sealed`` records say about immutable objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from logstore.errors import FormatError
from logstore.formats.leaf import Leaf

KIND = "segment.sealed"
"""Kind of the record that carries a segment's pin."""

SUPPLEMENT = "supplement.sealed"
"""Kind of the record that carries a supplement's pin."""

MAX_SPAN = 2**32
"""Most records from a supplement's first to its last: block entries have 32-bit offsets."""


class ObjectPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One immutable object of a store.

    Attributes:
        key: its name in the store, with forward slashes.
        size: bytes.
        sha256: hexadecimal.
        xxh3: XXH3-128, hexadecimal, for quick scrubs only.
        retain_until_us: kept at least until then, microseconds since 1970 UTC.
        version: the S3 version that holds it; empty, and left out, where names have no versions,
            and where the pin is written before the object is published.
    """

    key: str
    size: int
    sha256: str
    xxh3: str
    retain_until_us: int
    version: str = ""


class ObjectSpan(NamedTuple):
    """An object and the records that it is about.

    Attributes:
        pin: the object.
        first: index of the first record.
        end: index behind the last.
    """

    pin: ObjectPin
    first: int
    end: int


class SegmentPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed segment.

    Attributes:
        first: index of its first record.
        count: number of records.
        root: tree root (base64 in JSON) over all records up to and including this segment.
        index: the index object (clear columns and leaves).
        body: the body object, or None when no record of the segment has a body.
        destroyed: `destroyed_digest` of the keys that records of this segment say were destroyed.
        supplements: `supplements_digest` of the supplements that records of this segment pin.
        custody: `custody.custody_digest` of the records of this segment that place or release
            holds or apply retention; left out where there are none.
    """

    first: int
    count: int
    root: bytes
    index: ObjectPin
    body: ObjectPin | None = None
    destroyed: str = ""
    supplements: str = ""
    custody: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def end(self) -> int:
        """Index just behind the last record."""
        return self.first + self.count

    @property
    def last(self) -> int:
        """Index of the last record."""
        return self.first + self.count - 1


class SupplementPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One supplement: a body object that holds content of earlier records under other keys.

    Attributes:
        first: lowest index of a record in it.
        count: how far it spans: highest index - `first` + 1.
        records: number of records whose content it holds.
        body: the object.
    """

    first: int
    count: int
    records: int
    body: ObjectPin

    @property
    def end(self) -> int:
        """Index just behind the last record that it may hold."""
        return self.first + self.count

    @property
    def last(self) -> int:
        """Highest index of a record in it."""
        return self.first + self.count - 1


def destroyed_digest(key_ids: Sequence[str]) -> str:
    """Hexadecimal SHA-256 over key ids in record order, or empty when there are none.

    It makes the list in a seal trustworthy: whoever opens the log for writing destroys what the
    list names, and must not do so, or fail to, on the word of an unsigned file.
    """
    return hashlib.sha256("\n".join(key_ids).encode()).hexdigest() if key_ids else ""


def supplements_digest(pins: Sequence[SupplementPin]) -> str:
    """Hexadecimal SHA-256 over the JSON of pins in record order, or empty when there are none.

    It makes the list in a seal trustworthy: readers find supplements of the sealed part there,
    without reading every leaf.
    """
    return hashlib.sha256(b"\n".join(map(msgspec.json.encode, pins))).hexdigest() if pins else ""


def to_clear(pin: SegmentPin | SupplementPin) -> dict[str, object]:
    """The clear fields of the record that pins a segment or a supplement."""
    plain: dict[str, object] = msgspec.to_builtins(pin)
    return plain


def from_clear(clear: dict[str, object]) -> SegmentPin:
    """The pin in a ``segment.sealed`` record.

    Raises:
        FormatError: the fields are not those of a pin.
    """
    try:
        pin = msgspec.convert(clear, SegmentPin)
    except msgspec.ValidationError as error:
        raise FormatError(f"segment.sealed record is not a pin: {error}") from None
    if pin.first < 0 or pin.count < 1 or len(pin.root) != 32:
        raise FormatError("segment.sealed record states an impossible segment")
    return pin


def supplement_from_clear(clear: dict[str, object]) -> SupplementPin:
    """The pin in a ``supplement.sealed`` record.

    Raises:
        FormatError: the fields are not those of a pin.
    """
    try:
        pin = msgspec.convert(clear, SupplementPin)
    except msgspec.ValidationError as error:
        raise FormatError(f"{SUPPLEMENT} record is not a pin: {error}") from None
    if msgspec.json.encode(pin) != msgspec.json.encode(clear):
        raise FormatError(f"{SUPPLEMENT} record is not in its one spelling")  # digests cover it
    if pin.first < 0 or not 1 <= pin.records <= pin.count <= MAX_SPAN:
        raise FormatError(f"{SUPPLEMENT} record states an impossible supplement")
    return pin


def supplements_among(leaves: Iterable[Leaf]) -> list[SupplementPin]:
    """Pins in the ``supplement.sealed`` records among leaves; what is no pin is left out."""
    found = []
    for leaf in leaves:
        if leaf.kind == SUPPLEMENT:
            try:
                found.append(supplement_from_clear(leaf.clear))
            except FormatError:
                continue
    return found
