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

    Raises:
        FileNotFoundError: there is nothing of that name.
        TamperingFound: nobody but the log's own writer can have put it, and it is no seal.
        FormatError: likewise.
    """
    try:
        return proven_seal(blobs, key, trust, origin)
    except (FormatError, TamperingFound):
        if not blobs.shared:
            raise
    return None


def _judge(key: str, data: bytes, trust: Policy, origin: str) -> tuple[Seal, SegmentPin]:
    seal = parse_seal(data)
    pin = check_seal(seal, trust, origin)
    if layout.seal_range(key) != (seal.first, seal.count):
        raise TamperingFound(f"{key} is another segment's seal")
    return seal, pin
