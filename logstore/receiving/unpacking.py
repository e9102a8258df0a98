"""A request's body inflated as its Content-Encoding says, without trusting its size. Pure."""

from __future__ import annotations

import zlib

from logstore.receiving.limits import MIB, Limits
from logstore.receiving.refusals import NotTaken, too_large

_GZIP = 16 + zlib.MAX_WBITS
_STEP = MIB
_FEED = 16 * 1024
_FREE = MIB  # inflated bytes before the ratio counts

MAX_MEMBERS = 4096
"""Most gzip members of one body: each costs as much as a small request."""


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
    if encoding in ("", "identity") or not body:
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
    inflating = _Inflating(window, most)
    try:
        for start in range(0, len(body), _FEED):  # what is left over is copied: keep it short
            inflating.feed(body[start : start + _FEED])
    except zlib.error:
        raise _corrupt("the body is not what its Content-Encoding says") from None
    return inflating.plain()


class _Inflating:
    """One zlib stream, or gzip members one after the other."""

    def __init__(self, window: int, most: int) -> None:
        self._window = window
        self._most = most
        self._machine = zlib.decompressobj(window)
        self._members = 1
        self._size = 0
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        more = bool(data)
        while more:
            if self._machine.eof:
                self._next_member()
            part = self._machine.decompress(data, _STEP)
            self._size += len(part)
            if self._size > self._most:
                raise too_large("inflated-body-too-large", self._most)
            self._parts.append(part)
            ended = self._machine.eof
            data = self._machine.unused_data if ended else self._machine.unconsumed_tail
            more = bool(data) or (len(part) == _STEP and not ended)

    def plain(self) -> bytes:
        if not self._machine.eof:
            raise _corrupt("the compressed body ends too early")
        return b"".join(self._parts)

    def _next_member(self) -> None:
        self._members += 1
        if self._window != _GZIP:
            raise _corrupt("something follows the compressed body")
        if self._members > MAX_MEMBERS:
            raise _corrupt(f"more than {MAX_MEMBERS} gzip members")
        self._machine = zlib.decompressobj(self._window)


def _corrupt(message: str) -> NotTaken:
    return NotTaken(400, "corrupt-compression", message)
