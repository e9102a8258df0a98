"""The token in a request's Authorization header. Pure.

    Authorization: Bearer TOKEN                        RFC 6750 section 2.1
    Authorization: Basic base64(ANYTHING ":" TOKEN)    RFC 7617; Langfuse's clients send this

Whatever does not have one of these forms carries no token; why not is nobody's business outside,
and nothing of a header reaches an error text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from logstore.errors import FormatError
from logstore.formats.spelling import parse_base64

MAX_HEADER = 4_096
"""Longest header value that is looked at, in characters."""

# A scheme's name is a word in any case (RFC 9110 11.1); spaces and tabs around values mean nothing.
_HEADER = re.compile(r"[ \t]*([A-Za-z]{5,6}) +([A-Za-z0-9._~+/-]+=*)[ \t]*")


def presented(values: Sequence[str]) -> str | None:
    """The token that a request presents, unjudged.

    Args:
        values: every Authorization header of the request, bytes read as Latin-1.

    Returns:
        Printable ASCII; None when there is no header, more than one (whose would count?), or none
        that can hold a token.
    """
    if len(values) != 1 or len(values[0]) > MAX_HEADER:
        return None
    match = _HEADER.fullmatch(values[0])
    if match is None:
        return None
    scheme = match[1].lower()
    if scheme == "bearer":
        return match[2]
    return _password(match[2]) if scheme == "basic" else None


def _password(credentials: str) -> str | None:
    try:
        pair = parse_base64(credentials, "credentials")
    except FormatError:
        return None
    _, colon, password = pair.partition(b":")
    text = password.decode("latin-1")
    return text if colon and text.isascii() and text.isprintable() and text else None
