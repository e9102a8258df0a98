"""A call to a provider as it was seen, and the evidence made of it. Pure.

Rules of this file:

1. Bodies stand in the evidence as the provider sent and got them, byte for byte where they are
   JSON or text, in base64 where they are neither.
2. No secret is recorded: of headers only those of `KEPT_HEADERS`, of URLs neither the query nor a
   user name; values of headers and query members that authenticate are cut out wherever they stand.
3. Evidence longer than `MAX_EVIDENCE` is never made: bodies are cut, and marked as truncated.

The layout is the first of `logstore.capture.decoders.http_exchange`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import msgspec

from logstore.capture.sending.caller import Caller
from logstore.capture.sending.plain import mended

MAX_EVIDENCE = 24 * 2**20
"""Most bytes of one piece of evidence; the endpoint takes no more than 32 MiB in a request."""

MAX_CUT = 2**20
"""Bytes kept of each body of a call whose evidence would be too long."""

KEPT_HEADERS = frozenset(
    {
        "anthropic-organization-id", "anthropic-version", "content-type", "date",
        "openai-organization", "openai-processing-ms", "openai-version", "request-id",
        "retry-after", "traceparent", "user-agent", "x-request-id",
    }
)  # fmt: skip
"""Headers that are recorded, of requests and of responses."""

_HIDDEN = b"[secret]"
_SECRET_WORDS = ("auth", "key", "token", "secret", "cookie", "password", "signature")
_SHORTEST_SECRET = 12  # shorter values may be words of the text itself
_SHORT_MEMBER = 64 * 1024


@dataclass(slots=True)
class Exchange:
    """One call to a provider.

    Attributes:
        url: where it went; empty when only the route is known.
        route: path of the API, e.g. ``/v1/chat/completions``.
        request: request body as sent.
        response: response body, or a stream as far as it came; None when no answer came.
        events: a stream's events one by one, where its bytes could not be had.
        started_s: seconds since 1970 UTC.
        first_s: when the first chunk of a stream came, likewise; None without.
        ended_s: likewise.
        aborted: a stream that broke, or that the caller left.
        over: the bodies were longer than is kept; what is here is their beginning.
    """

    caller: Caller
    started_s: float
    url: str = ""
    route: str = ""
    method: str = "POST"
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request: bytes = b""
    status: int | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response: bytes | None = None
    events: list[bytes] = field(default_factory=list)
    first_s: float | None = None
    ended_s: float | None = None
    stream: bool = False
    aborted: bool = False
    over: bool = False
    error_type: str | None = None
    error_message: str | None = None
    facts: dict[str, object] = field(default_factory=dict)


def evidence(seen: Exchange) -> bytes:
    """The evidence of a call; of bodies that are too long their beginning, and `seen` is `over`."""
    size = len(seen.request) + len(seen.response or b"") + sum(map(len, seen.events))
    if not seen.over and size <= MAX_EVIDENCE:
        made = _written(seen, seen.request, seen.response)
        if len(made) <= MAX_EVIDENCE:
            return made
    seen.over = True
    while sum(map(len, seen.events)) > MAX_CUT:
        del seen.events[len(seen.events) // 2 :]
    response = None if seen.response is None else _beginning(seen.response)
    return _written(seen, _beginning(seen.request), response)


def bare(url: str) -> str:
    """A URL without user name, password, query and fragment: keys are put there too."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def _written(seen: Exchange, request: bytes, response: bytes | None) -> bytes:
    members: dict[str, object] = {
        "method": seen.method,
        "url": bare(seen.url) if seen.url else None,
        "path": None if seen.url else seen.route,
        "request_headers": _kept(seen.request_headers),
        "response_headers": _kept(seen.response_headers),
        "status": seen.status,
        "stream": seen.stream or None,
        "start_time": seen.started_s,
        "end_time": seen.ended_s,
        "first_chunk_ms": None if seen.first_s is None else (seen.first_s - seen.started_s) * 1000,
        "user": seen.caller.user,
        "session_id": seen.caller.session,
        "conversation_id": seen.caller.conversation,
        "aborted": seen.aborted or None,
        "truncated": seen.over or None,
        "error_type": seen.error_type,
        "error_message": seen.error_message,
        **seen.facts,
    }
    given = {
        name: mended(value) if isinstance(value, str) else value
        for name, value in members.items()
        if value is not None
    }
    given |= _request(request, whole=seen.request)
    if seen.events:
        given["response"] = [_json_or_text(event) for event in seen.events]
    elif response is not None:
        given |= _body("response", response)
    return _without_secrets(msgspec.json.encode(given), seen)


def _beginning(body: bytes) -> bytes:
    """The first `MAX_CUT` bytes, not ending inside a UTF-8 character."""
    end = min(len(body), MAX_CUT)
    while end < len(body) and MAX_CUT - end < 4 and body[end] & 0xC0 == 0x80:
        end -= 1
    return body[:end]


def _kept(headers: Mapping[str, str]) -> dict[str, str] | None:
    kept = {k.lower(): v for k, v in headers.items() if k.lower() in KEPT_HEADERS}
    return kept or None


def _request(kept: bytes, whole: bytes) -> dict[str, object]:
    """A request body; where it is no JSON object, or only its beginning is kept, beside a frame."""
    body = _body("request", kept)
    if isinstance(body["request"], msgspec.Raw):
        return body
    if isinstance(body["request"], str):
        body["request_text"] = body["request"]
    return {**body, "request": _small_members(whole)}


def _small_members(body: bytes) -> dict[str, msgspec.Raw]:
    """The short members of a body that is too long to be kept: its model, its user."""
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return {}
    return {name: value for name, value in members.items() if len(bytes(value)) <= _SHORT_MEMBER}


def _body(name: str, body: bytes) -> dict[str, object]:
    try:
        return {name: _json_or_text(body)}
    except UnicodeDecodeError:
        return {name: {}, f"{name}_base64": base64.b64encode(body).decode()}


def _json_or_text(body: bytes) -> msgspec.Raw | str:
    """The bytes themselves where they are one JSON object or array, otherwise their text."""
    text = body.decode()
    if body[:1] in (b"{", b"["):
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except (msgspec.MsgspecError, RecursionError):
            return text
        return msgspec.Raw(body)
    return text


def _without_secrets(made: bytes, seen: Exchange) -> bytes:
    query = parse_qsl(urlsplit(seen.url).query) if "?" in seen.url else []
    for secret in _secrets((*seen.request_headers.items(), *query)):
        made = made.replace(msgspec.json.encode(secret)[1:-1], _HIDDEN)
    return made


def _secrets(named: Iterable[tuple[str, str]]) -> set[str]:
    """What authenticates a request: whole values, and the words of an Authorization."""
    found = set()
    for name, value in named:
        if any(word in name.lower() for word in _SECRET_WORDS):
            found |= {value, *value.split()}
    return {text for text in found if len(text) >= _SHORTEST_SECRET}
