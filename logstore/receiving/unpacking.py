"""A request's body inflated as its Content-Encoding says, without trusting its size. Pure."""

from __future__ import annotations

import zlib

from logstore.receiving.limits import MIB, Limits
from logstore.receiving.refusals import NotTaken, too_large

_GZIP = 16 + zlib.MAX_WBITS
_STEP = MIB
_FREE = MIB  # inflated bytes before the ratio counts


def unpacked(body: bytes, encoding: str, limits: Limits) -> bytes:
    """The plain body.

    Args:
        body: as sent.
        encoding: value of the Content-Encoding header, lower case; empty for none.
        limits: bounds of the inflated size, absolute and as a ratio.

    Raises:
        NotTaken: 413 when it inflates too far, 415 for an encoding that is not taken, 400 when it
            is not what the header says.
    """
    if encoding in ("", "identity"):
        return body
    if encoding == "gzip":
        return _inflated(body, _GZIP, limits)
    if encoding == "deflate":  # RFC 9110: zlib; some send it bare
        bare = -zlib.MAX_WBITS
        return _inflated(body, zlib.MAX_WBITS if _is_zlib(body) else bare, limits)
    raise NotTaken(415, "content-encoding", "Content-Encoding must be gzip, deflate or identity")


def _is_zlib(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _inflated(body: bytes, window: int, limits: Limits) -> bytes:
    most = min(limits.inflated_bytes, _FREE + limits.inflate_ratio * len(body))
    parts: list[bytes] = []
    size, left = 0, body
    try:
        while left:
            machine = zlib.decompressobj(window)
            while not machine.eof:
                part = machine.decompress(left, _STEP)
                size += len(part)
                if size > most:
                    raise too_large("inflated-body-too-large", most)
                parts.append(part)
                left = machine.unconsumed_tail
                if not part and not left:
                    break
            if not machine.eof:
                raise NotTaken(400, "corrupt-compression", "the compressed body ends too early")
            left = machine.unused_data if window == _GZIP else b""  # gzip members may follow
    except zlib.error:
        raise NotTaken(
            400, "corrupt-compression", "the body is not what its Content-Encoding says"
        ) from None
    return b"".join(parts)
