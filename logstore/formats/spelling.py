"""Base64 and decimal numbers in their one spelling, as the C2SP text formats demand.

A lenient decoder lets two byte strings mean the same thing, and so lets one signed text be altered
unseen; both readers here re-encode and compare.
"""

from __future__ import annotations

import base64
import binascii

from logstore.errors import FormatError

_MAX_DIGITS = 19  # 2^63 - 1 has 19


def encode_base64(data: bytes) -> str:
    """Standard padded base64 (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: str, what: str) -> bytes:
    """Read standard padded base64.

    Args:
        text: the base64, without white space.
        what: what it is, for the error text.

    Raises:
        FormatError: any other spelling: white space, missing padding, stray bits.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise FormatError(f"{what} is not base64") from None
    if encode_base64(data) != text:
        raise FormatError(f"{what} is not in its one base64 spelling")
    return data


def parse_decimal(text: str, what: str) -> int:
    """Read an ASCII decimal from 0 to 2^63 - 1 without sign or leading zeros.

    Raises:
        FormatError: anything else.
    """
    if len(text) > _MAX_DIGITS or not (text.isascii() and text.isdigit()):
        raise FormatError(f"{what} is not a decimal number of at most {_MAX_DIGITS} digits")
    value = int(text)
    if str(value) != text or value >= 2**63:
        raise FormatError(f"{what} is not a decimal number below 2^63 without leading zeros")
    return value
