"""A request's body read within its limits: size, time and the room of the backlog."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from logstore.receiving.backlog import Entry
from logstore.receiving.limits import Limits
from logstore.receiving.refusals import NotTaken, too_large


async def read_body(request: Request, limits: Limits, entry: Entry) -> bytes:
    """The body as sent.

    Raises:
        NotTaken: 413 too large, 408 too slow, 400 broken off.
        ComeBack: no room for it now.
    """
    _check_length(request.headers.get("content-length"), limits)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise too_large("body-too-large", limits.body_bytes)
                entry.grow(len(part))
                parts.append(part)
    except TimeoutError:
        raise NotTaken(408, "too-slow", "the body took too long to arrive") from None
    except ClientDisconnect:
        raise NotTaken(400, "broken-off", "the sender went away") from None
    return b"".join(parts)


def _check_length(stated: str | None, limits: Limits) -> None:
    if stated is not None and stated.isdecimal() and int(stated[:20]) > limits.body_bytes:
        raise too_large("body-too-large", limits.body_bytes)
