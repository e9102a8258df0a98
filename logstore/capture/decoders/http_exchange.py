"""One recorded HTTP exchange with a model provider, in the layouts people keep them in.

Accepted layouts of one pair (a JSON object; members not named here are kept as `extra`):

1. recorded by a proxy::

       {"method": "POST", "path": "/v1/chat/completions", "headers": {...},
        "request": <request body>, "status": 200, "stream": true,
        "response": <response body, or a list of {"event": ..., "data": ...}>}

2. bodies alone: ``{"request": <request body>, "response": <response body>}``
3. HTTP objects on either side::

       {"request": {"method": ..., "url" or "path": ..., "headers": {...}, "body": ...},
        "response": {"status" or "status_code": 200, "headers": {...}, "body": ...}}

A body is JSON, a string holding JSON, or (streams) a string of server-sent events or the list of
events. Any layout may add ``timestamp`` or ``start_time`` (ISO 8601, or seconds or milliseconds
since 1970), ``end_time`` or ``duration_ms``, ``application``, ``environment``, ``user``,
``session_id``, ``conversation_id``, ``trace_id`` and ``aborted: true`` for a stream that the
client left. What records on the caller's side knows more and may say so: ``application_version``,
``first_chunk_ms`` (after the start), ``error_type`` and ``error_message`` (where no answer came, or
only a part of it) and ``truncated: true`` where a body was too long to be kept whole.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from logstore.capture.decoders.facts import first_text
from logstore.capture.decoders.identity import (
    CONVERSATION_KEYS,
    SESSION_KEYS,
    first,
    people,
)
from logstore.capture.decoders.jsonvalues import (
    array,
    integer,
    load,
    load_object,
    number,
    obj,
    text,
    time_us,
    without,
)
from logstore.capture.interaction import Interaction
from logstore.errors import FormatError

_OUTER = (
    "method", "path", "url", "headers", "request_headers", "response_headers", "request",
    "response", "status", "status_code", "stream", "timestamp", "start_time", "started_at",
    "end_time", "duration_ms", "application", "environment", "user", "user_id", "session_id",
    "conversation_id", "trace_id", "span_id", "aborted", "application_version", "first_chunk_ms",
    "error_type", "error_message", "truncated",
)  # fmt: skip
_LINE_END = re.compile(r"\r\n|\r|\n")  # nothing else ends a line: JSON may hold U+2028 unescaped


class Exchange(msgspec.Struct):
    """A request with its answer, whatever layout it was kept in.

    Attributes:
        outer: the whole object as read.
        path: path or URL, empty when not kept.
        request_headers: lower-case names.
        response_headers: lower-case names.
        request: request body.
        response: response body when it was not streamed.
        events: the stream's events in order; None when the answer was no stream.
        done: the stream said ``[DONE]``.
        status: HTTP status.
    """

    outer: dict[str, Any]
    path: str
    request_headers: dict[str, Any]
    response_headers: dict[str, Any]
    request: dict[str, Any]
    response: dict[str, Any]
    events: list[dict[str, Any]] | None
    done: bool
    status: int | None


def read(raw: bytes) -> Exchange:
    """Read one pair.

    Raises:
        FormatError: not JSON, or neither a request nor a response in it, nor how the call ended.
    """
    outer = load_object(raw)
    request, response = _body(outer.get("request")), outer.get("response")
    request_side = request if "body" in request and "model" not in request else {}
    response_side = obj(response)
    if not ({"body", "headers"} & response_side.keys()):
        response_side = {}
    if request_side:
        request = _body(request_side.get("body"))
    body = response_side.get("body") if response_side else response
    events, done = events_of(body)
    told = _status(outer) is not None or text(outer.get("error_type")) is not None
    if not (request or events or told or _body(body)):
        raise FormatError("neither a request nor a response in this pair")
    return Exchange(
        outer=outer,
        path=first_text(outer.get("path"), outer.get("url"), request_side.get("path"),
                        request_side.get("url")) or "",
        request_headers=_headers(
            request_side.get("headers") or outer.get("request_headers") or outer.get("headers")
        ),
        response_headers=_headers(response_side.get("headers") or outer.get("response_headers")),
        request=request,
        response=_body(body) if events is None else {},
        events=events,
        done=done,
        status=_status(outer) if response_side == {} else _status(response_side),
    )  # fmt: skip


def events_of(body: object) -> tuple[list[dict[str, Any]] | None, bool]:
    """(the events of a streamed body in order, whether it said ``[DONE]``); None if no stream."""
    if isinstance(body, list):
        events = [_unwrapped(event) for event in array(body)]
        return [event for event in events if event], any(_is_done(event) for event in body)
    if isinstance(body, str) and body.lstrip()[:1] in ("d", "e", ":", "i"):
        return _server_sent(body)
    return None, False


def note_outer(found: Interaction, exchange: Exchange) -> Interaction:
    """Add what the layout around the bodies says; returns the same interaction."""
    outer, headers = exchange.outer, exchange.request_headers
    start = time_us(first_of(outer, "timestamp", "start_time", "started_at"))
    end = time_us(outer.get("end_time"))
    duration = number(outer.get("duration_ms"))
    if end is None and start is not None and duration is not None and 0 <= duration < 1e9:
        end = start + round(duration * 1000)
    found.start_us = start or found.start_us or _date_us(exchange.response_headers)
    found.end_us = end
    found.http_status = exchange.status
    found.application = text(outer.get("application"))
    found.application_version = text(outer.get("application_version"))
    found.environment = text(outer.get("environment"))
    found.subjects.extend(people(outer, "pair"))
    found.session_id = first(outer, SESSION_KEYS) or found.session_id
    found.conversation_id = first(outer, CONVERSATION_KEYS) or found.conversation_id
    _note_ending(found, outer)
    found.client_address = first_text(headers.get("x-forwarded-for"), headers.get("x-real-ip"))
    found.trace_id, found.span_id = _trace(outer, headers)
    found.extra.update(without(outer, *_OUTER))
    for name in ("user-agent", "x-request-id", "request-id"):
        if (value := text(exchange.response_headers.get(name) or headers.get(name))) is not None:
            found.extra[f"http.{name}"] = value
    return found


def _note_ending(found: Interaction, outer: dict[str, Any]) -> None:
    """Add what only the caller's side saw: the wait, and how the call ended for it."""
    wait = number(outer.get("first_chunk_ms"))
    if wait is not None and 0 <= wait < 1e9:
        found.ttft_us = round(wait * 1000)
    found.error_type = found.error_type or text(outer.get("error_type"))
    found.error_message = found.error_message or text(outer.get("error_message"))
    if outer.get("truncated") is True:
        found.gaps.append("truncated")


def first_of(source: dict[str, Any], *keys: str) -> object:
    """The first member that is there and not null."""
    for key in keys:
        if source.get(key) is not None:
            return source[key]
    return None


def _body(body: object) -> dict[str, Any]:
    if isinstance(body, str) and body[:1] in "{ \n\r\t":
        try:
            return obj(load(body))
        except FormatError:
            return {}
    return obj(body)


def _headers(headers: object) -> dict[str, Any]:
    return {name.lower(): value for name, value in obj(headers).items()}


def _status(side: dict[str, Any]) -> int | None:
    status = integer(first_of(side, "status_code", "status"))
    return status if status is not None and 100 <= status <= 999 else None


def _unwrapped(event: object) -> dict[str, Any]:
    found = obj(event)
    if "data" in found and found.keys() <= {"event", "data", "id", "retry", "t", "time"}:
        return _body(found["data"])
    return found


def _is_done(event: object) -> bool:
    return event == "[DONE]" or (isinstance(event, dict) and event.get("data") == "[DONE]")


def _server_sent(body: str) -> tuple[list[dict[str, Any]] | None, bool]:
    """Events of a text/event-stream body (WHATWG HTML section 9.2)."""
    events: list[dict[str, Any]] = []
    data: list[str] = []
    seen = done = False
    for line in [*_LINE_END.split(body), ""]:
        if line.startswith("data:"):
            seen = True
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            joined = "\n".join(data)
            data = []
            done = done or joined == "[DONE]"
            if event := _body(joined):
                events.append(event)
    return (events, done) if seen else (None, False)


def _date_us(headers: dict[str, Any]) -> int | None:
    date = text(headers.get("date"))
    if date is None or len(date) > 40:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None


def _trace(outer: dict[str, Any], headers: dict[str, Any]) -> tuple[str | None, str | None]:
    """Trace and span id: stated, or from a W3C traceparent header."""
    parts = (text(headers.get("traceparent")) or "").split("-")
    trace, span = (parts[1], parts[2]) if len(parts) >= 4 and len(parts[1]) == 32 else (None, None)
    return text(outer.get("trace_id")) or trace, text(outer.get("span_id")) or span
