"""Reading small objects that vouch for themselves, past whatever else bears their name."""

from __future__ import annotations

from logstore.errors import AirconError
from logstore.formats.pins import SegmentPin
from logstore.formats.policy import Policy
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
        return _judge(blobs.read(key), trust, origin)
    except AirconError as error:
        for data in blobs.readings(key):
            try:
                return _judge(data, trust, origin)
            except AirconError:
                continue
        raise error from None


def _judge(data: bytes, trust: Policy, origin: str) -> tuple[Seal, SegmentPin]:
    seal = parse_seal(data)
    return seal, check_seal(seal, trust, origin)
