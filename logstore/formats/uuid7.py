"""UUIDv7 (RFC 9562 section 5.7) from values the caller brings."""

from __future__ import annotations


def uuid7s(milliseconds: int, entropy: str) -> list[str]:
    """UUIDv7 of one moment.

    Args:
        milliseconds: time since 1970 UTC.
        entropy: random hexadecimal digits, lower case, 20 for each UUID wanted.
    """
    time = f"{milliseconds:012x}"
    stem = f"{time[:8]}-{time[8:]}-7"
    return [
        f"{stem}{entropy[at : at + 3]}-{_VARIANTS[entropy[at + 3]]}{entropy[at + 4 : at + 7]}"
        f"-{entropy[at + 8 : at + 20]}"
        for at in range(0, len(entropy), 20)
    ]


# 6 of the 80 given bits are replaced by version and variant.
_VARIANTS = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


def milliseconds(identifier: str) -> int:
    """The time inside a UUIDv7, milliseconds since 1970 UTC."""
    return int(identifier[:8] + identifier[9:13], 16)
