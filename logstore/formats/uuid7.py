"""UUIDv7 (RFC 9562 section 5.7) from values the caller brings."""

from __future__ import annotations


def uuid7(milliseconds: int, entropy: str) -> str:
    """A UUIDv7.

    Args:
        milliseconds: time since 1970 UTC.
        entropy: 20 random hexadecimal digits, lower case.
    """
    time = f"{milliseconds:012x}"
    # 6 of the 80 given bits are replaced by version and variant.
    variant = "89ab"[int(entropy[3], 16) & 3]
    return f"{time[:8]}-{time[8:]}-7{entropy[:3]}-{variant}{entropy[4:7]}-{entropy[8:20]}"


def milliseconds(identifier: str) -> int:
    """The time inside a UUIDv7, milliseconds since 1970 UTC."""
    return int(identifier[:8] + identifier[9:13], 16)
