"""OpenAI Batch API: an input line and its output line, joined by ``custom_id``.

The splitter joins them; one item is ``{"request": <input line>, "response": <output line>}`` with
either side missing when its file was not there. Input line: ``{"custom_id", "method", "url",
"body"}``; output line: ``{"id", "custom_id", "response": {"status_code", "request_id", "body"},
"error"}`` (OpenAI Batch API guide).
"""

from __future__ import annotations

from logstore.capture.decoders.facts import note_gaps
from logstore.capture.decoders.http_exchange import Exchange
from logstore.capture.decoders.jsonvalues import identifier, integer, load_object, obj, text
from logstore.capture.decoders.openai import interaction, read_error
from logstore.capture.interaction import Interaction
from logstore.errors import FormatError


def decode(raw: bytes) -> Interaction:
    """Read one joined batch item.

    Raises:
        FormatError: not JSON, or neither side has a ``custom_id``.
    """
    outer = load_object(raw)
    asked, given = obj(outer.get("request")), obj(outer.get("response"))
    custom_id = identifier(given.get("custom_id")) or identifier(asked.get("custom_id"))
    if custom_id is None:
        raise FormatError("a batch line without custom_id")
    answer = obj(given.get("response"))
    status = integer(answer.get("status_code"))
    found = interaction(
        "openai.batch",
        Exchange(
            outer=outer,
            path=text(asked.get("url")) or "",
            request_headers={},
            response_headers={},
            request=obj(asked.get("body")),
            response=obj(answer.get("body")),
            events=None,
            done=False,
            status=status,
        ),
    )
    found.http_status = status
    found.stream = False
    read_error(found, given.get("error"))
    found.extra["custom_id"] = custom_id
    for name, value in (("batch_request", given.get("id")), ("request", answer.get("request_id"))):
        if (known := identifier(value)) is not None:
            found.extra[f"openai.{name}_id"] = known
    if not asked:
        found.gaps.append("no-request")
    if not given:
        found.gaps.append("no-response")
    return note_gaps(found)
