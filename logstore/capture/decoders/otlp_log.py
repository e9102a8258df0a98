"""Decoders of the formats ``otlp.log`` and ``otlp.log+json``: one log record to an `Interaction`.

The GenAI event ``gen_ai.client.inference.operation.details`` is a whole call beside its span; the
older message events carry one message each; any other log record is operation ``log``.
"""

from __future__ import annotations

from logstore.capture.decoders import jsonvalues, otlp_json, otlp_protobuf
from logstore.capture.decoders.dialect_gen_ai import EVENT
from logstore.capture.decoders.dialect_gen_ai_legacy import ROLES, take_event
from logstore.capture.decoders.otlp_dialects import (
    RANK,
    build,
    dialect_of,
    finish,
    read_attributes,
    read_origin,
)
from logstore.capture.decoders.otlp_found import Found
from logstore.capture.decoders.otlp_gaps import gaps, is_aborted
from logstore.capture.decoders.otlp_telemetry import LogRecord
from logstore.capture.interaction import Interaction
from logstore.errors import FormatError


def decode_log(raw: bytes) -> Interaction:
    """One log record in protobuf, as `otlp_split` cuts it.

    Raises:
        FormatError: not an export request of exactly one log record.
    """
    return _guarded(otlp_protobuf.read_log(raw), "otlp.log")


def decode_log_json(raw: bytes) -> Interaction:
    """One log record in OTLP/JSON, as `otlp_split` cuts it.

    Raises:
        FormatError: not an export request of exactly one log record.
    """
    return _guarded(otlp_json.read_log(raw), "otlp.log+json")


def _guarded(log: LogRecord, format_name: str) -> Interaction:
    try:
        return interaction(log, format_name)
    except RecursionError:
        raise FormatError("a log record whose content is nested too deeply") from None


def interaction(log: LogRecord, format_name: str) -> Interaction:
    """A log record as an `Interaction`. Its time is when the event was emitted, as `start_us`."""
    found = Found("", 0)
    event = log.event_name or str(log.attributes.get("event.name") or "")
    dialect = dialect_of(log.attributes, log.origin.scope_name)
    read_attributes(found, log.attributes)
    partial = event in ROLES
    if not (partial and take_event(found, event, jsonvalues.obj(log.body), RANK["gen_ai_legacy"])):
        found.keep("body", log.body)
    finish(found, dialect)
    read_origin(found, log.origin)
    found.keep("event.name", event)
    found.keep("severity", log.severity)
    if log.dropped:
        found.extra["dropped"] = dict(log.dropped)
    if log.flags:
        found.extra["trace_flags"] = f"{log.flags & 0xFF:02x}"
    base = {
        "format": format_name,
        "dialect": "gen_ai_legacy" if partial else dialect,
        "grade": "event",
        "operation": "chat" if partial or event == EVENT else "log",
        "start_us": log.time_ns // 1000 or None,
        "trace_id": log.trace_id or None,
        "span_id": log.span_id or None,
    }
    made = build(found, base)
    made.stream_aborted = not partial and is_aborted(made)
    clipped = {"truncated"} if log.clipped else set()
    made.gaps = sorted({*_gaps(made, log, partial=partial), *found.gaps, *clipped})
    return made


def _gaps(made: Interaction, log: LogRecord, *, partial: bool) -> set[str]:
    found = set(gaps(made, log.dropped, ""))
    # One message of a call: what it does not carry stands in the events beside it.
    return found - {"input-not-captured", "output-not-captured"} if partial else found
