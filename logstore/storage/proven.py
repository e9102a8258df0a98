"""Reading small objects that vouch for themselves, past whatever else bears their name."""

from __future__ import annotations

import contextlib

from logstore.errors import FormatError, TamperingFound
from logstore.formats.pins import SegmentPin
from logstore.formats.policy import Policy
from logstore.storage import layout
from logstore.storage.blobs import Blobs
from logstore.storage.seal import Seal, check_seal, parse_seal


def proven_seal(blobs: Blobs, key: str, trust: Policy, origin: str) -> tuple[Seal, SegmentPin]:
    """A seal whose signatures and proof hold, and what it pins.

    Usually what was put first; where somebody has put something else before, the first that holds.

    Raises:
        FileNotFoundError: there is nothing of that name.
        TamperingFound: nothing that has the name is a seal of this log, or it contradicts itself.
        FormatError: likewise.
    """
    try:
        return _judge(key, blobs.read(key), trust, origin)
    except (FormatError, TamperingFound) as error:
        for data in blobs.readings(key):
            with contextlib.suppress(FormatError, TamperingFound):
                return _judge(key, data, trust, origin)
        raise error from None


def seal_or_stray(
    blobs: Blobs, key: str, trust: Policy, origin: str
) -> tuple[Seal, SegmentPin] | None:
    """`proven_seal`, or None where somebody else may have given the name to something.

    What was listed there and is gone is nobody's either, where others may put things.

    Raises:
        FileNotFoundError: there is nothing of that name.
        TamperingFound: nobody but the log's own writer can have put it, and it is no seal.
        FormatError: likewise.
    """
    try:
        return proven_seal(blobs, key, trust, origin)
    except (FormatError, TamperingFound, FileNotFoundError):
        if not blobs.shared:
            raise
    return None


class ProvenSeals:
    """The seals of one log, each read and proven once.

    Args:
        blobs: where they are.
        origin: the log.
        trust: whose signature proves one.
    """

    def __init__(self, blobs: Blobs, origin: str, trust: Policy) -> None:
        self._blobs = blobs
        self._origin = origin
        self._trust = trust
        self._known: dict[str, tuple[Seal, SegmentPin]] = {}

    def all(self) -> list[tuple[Seal, SegmentPin]]:
        """Every seal there is now with what it pins, oldest first.

        Raises:
            TamperingFound: one is missing, or is none.
            FormatError: likewise.
        """
        keys = self._blobs.keys(layout.seal_prefix(self._origin))
        found = [self._proven(key) for key in keys if layout.seal_range(key)]
        seals = sorted((each for each in found if each is not None), key=_first)
        at = 0
        for seal, _ in seals:
            if seal.first != at:
                raise TamperingFound(f"the seal of the segment from record {at} is missing")
            at = seal.end
        return seals

    def _proven(self, key: str) -> tuple[Seal, SegmentPin] | None:
        """One seal; None for a stray."""
        if key not in self._known:
            found = seal_or_stray(self._blobs, key, self._trust, self._origin)
            if found is None:
                return None
            self._known[key] = found
        return self._known[key]


def _first(found: tuple[Seal, SegmentPin]) -> int:
    return found[0].first


def _judge(key: str, data: bytes, trust: Policy, origin: str) -> tuple[Seal, SegmentPin]:
    seal = parse_seal(data)
    pin = check_seal(seal, trust, origin)
    if layout.seal_range(key) != (seal.first, seal.count):
        raise TamperingFound(f"{key} is another segment's seal")
    return seal, pin
