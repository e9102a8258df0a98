"""One record's facts as labelled lines: who, what, which model, and how sure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.presenters.figures import count, duration, precise
from console.presenters.spans import Line, line
from console.presenters.verdict import Standing, phrase
from console.presenters.wrapping import wrap
from logstore.capture.interaction import Interaction
from logstore.query.rows import Detail

GAPS: dict[str, str] = {
    "no-user": "the source names no user",
    "no-session": "the source names no session",
    "no-response-id": "the source has no response id",
    "no-request-model": "the source does not say which model was asked for",
    "no-time": "the source has no time; the time of import is shown",
    "content-by-reference": "the content lies elsewhere and was only referred to",
    "reference-not-allowed": "it lies outside of the places that content may be fetched from",
    "reference-not-found": "nothing lay where the source pointed",
    "reference-too-large": "what lay there was over the limit",
    "reference-too-slow": "it did not arrive in time",
    "reference-not-json": "what lay there was no JSON",
    "reference-unreadable": "it could not be read",
    "reference-malformed": "the source's address was not a plain one",
    "content-not-captured": "the source was set up not to capture content",
    "dropped-attributes": "the source dropped attributes over its limit",
    "dropped-events": "the source dropped events over its limit",
    "dropped-links": "the source dropped links over its limit",
    "dropped-event-attributes": "the source dropped attributes of events over its limit",
    "dropped-resource-attributes": "the source dropped attributes of the application",
    "sampled": "the source keeps only a sample of its calls",
    "truncated": "the source cut the content off",
}
"""What each gap means to a person; unknown gaps are shown by their own word."""

ASSURANCE = {
    "platform": "vouched for by the platform",
    "sdk": "as the client library reported it",
    "caller": "only claimed by the caller",
}
"""How sure a value is (`logstore.capture.interaction.Assurance`)."""

GRADES = {
    "raw": "the provider's own bytes",
    "gateway": "a gateway's log",
    "span": "a tracing span",
    "event": "a log event beside a span",
    "export": "another platform's export",
}
"""How close to the wire the evidence is (`logstore.capture.interaction.Grade`)."""

_LABEL = 15
_MOST_LISTED = 50


def gap_words(gap: str) -> str:
    """A gap for a person."""
    known = GAPS.get(gap)
    return f"{gap}: {known}" if known else gap


def unread_words(detail: Detail) -> str:
    """Why content is missing, and what to do about it; empty when it is all here."""
    said = detail.unreadable or ""
    if detail.state == "locked":
        why = said or "the key store is not open"
        return f"LOCKED: {why}. The passphrase opens it: in the explorer, press u."
    return said


def same_call_words(detail: Detail) -> str:
    """That a record is one of several of one call, and which; empty when it is the only one."""
    others = detail.same_call
    if not others:
        return ""
    listed = ", ".join(f"#{index}" for index in others[:_MOST_LISTED])
    more = len(others) - _MOST_LISTED
    tail = f" and {more} more" if more > 0 else ""
    counted = detail.same.primary
    which = "this one" if counted == detail.row.index else f"#{counted}"
    return f"one of {len(others) + 1} records of one call; also {listed}{tail}; {which} is counted"


def facts(detail: Detail, standing: Standing, cells: int) -> list[Line]:
    """Everything known of a record, grouped."""
    out: list[Line] = []
    for title, pairs in _groups(detail, standing):
        told = [(label, value) for label, value in pairs if value]
        if told:
            out.append(line((title, "title")))
            for label, value in told:
                out += labelled(label, value, cells)
            out.append(())
    return out


def labelled(label: str, value: str, cells: int) -> Iterator[Line]:
    """A label and its value, wrapped under itself."""
    for at, text in enumerate(wrap(value, cells - _LABEL - 2)):
        yield line((f"  {label if at == 0 else '':<{_LABEL}}", "dim"), text)


def _groups(detail: Detail, standing: Standing) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    row = detail.row
    yield (
        "RECORD",
        [
            ("id", row.id),
            ("index", count(row.index)),
            ("kind", row.kind),
            ("time", precise(row.time_us)),
            ("proof", phrase(row.index, standing)),
            ("content", unread_words(detail)),
            ("same call", same_call_words(detail)),
        ],
    )
    call = detail.interaction
    if call is None:
        yield "CALL", _clear_call(detail)
        return
    yield "PEOPLE", _people(call, detail)
    yield "CALL", _call(call)
    yield "MODEL", _model(call)
    yield "USAGE", _usage(call)
    yield "SOURCE", _source(call, row.gaps)


def _clear_call(detail: Detail) -> list[tuple[str, str]]:
    row = detail.row
    return [
        ("operation", row.operation or ""),
        ("application", row.application or ""),
        ("model", row.model or ""),
        ("model version", row.model_version or ""),
        ("session", row.session or ""),
        ("tokens", f"{row.tokens_in or 0} in, {row.tokens_out or 0} out"),
        ("took", duration(row.duration_us)),
        ("error", row.error_type or ""),
        ("tools", ", ".join(row.tool_names or ())),
        ("gaps", ", ".join(row.gaps or ())),
    ]


def _people(call: Interaction, detail: Detail) -> list[tuple[str, str]]:
    told = [
        ("person", f"{who.id}\nfrom {who.field}, {ASSURANCE.get(who.assurance, who.assurance)}")
        for who in call.subjects
    ]
    return [
        *(told or [("person", detail.row.user or "(none named)")]),
        ("session", call.session_id or ""),
        ("conversation", call.conversation_id or ""),
        (
            "called by",
            f"{call.actor}\n{ASSURANCE.get(call.actor_assurance, '')}" if call.actor else "",
        ),
        ("client", call.client_address or ""),
    ]


def _call(call: Interaction) -> list[tuple[str, str]]:
    return [
        ("operation", call.operation),
        ("application", " ".join(filter(None, [call.application, call.application_version]))),
        ("environment", call.environment or ""),
        ("agent", call.agent or ""),
        ("prompt", " ".join(filter(None, [call.prompt_name, call.prompt_version]))),
        ("tools", ", ".join(call.tool_names)),
        ("documents", ", ".join(call.document_ids)),
        ("datasets", ", ".join(call.dataset_ids)),
        ("guardrail", ", ".join(call.guardrail_verdicts)),
        ("finished", ", ".join(call.finish_reasons)),
        ("error", " ".join(filter(None, [call.error_type, call.error_message]))),
        ("http status", str(call.http_status) if call.http_status else ""),
        ("trace", " ".join(filter(None, [call.trace_id, call.span_id]))),
    ]


def _model(call: Interaction) -> list[tuple[str, str]]:
    return [
        ("provider", call.provider or ""),
        ("asked for", call.request_model or ""),
        ("answered by", call.response_model or ""),
        ("version", call.model_version or ""),
        ("fingerprint", call.system_fingerprint or ""),
        ("response id", call.response_id or ""),
        ("parameters", ", ".join(f"{name}={value}" for name, value in call.params.items())),
    ]


def _usage(call: Interaction) -> list[tuple[str, str]]:
    took = (
        duration(call.end_us - call.start_us)
        if call.start_us is not None and call.end_us is not None
        else ""
    )
    return [
        *((name.replace("_", " "), count(number)) for name, number in call.usage.items()),
        ("took", took),
        ("first chunk", duration(call.ttft_us)),
        ("cost", f"{call.cost_usd:.6g} USD" if call.cost_usd is not None else ""),
    ]


def _source(call: Interaction, at_capture: Sequence[str]) -> list[tuple[str, str]]:
    gaps = [*call.gaps, *(gap for gap in at_capture if gap.startswith("reference-"))]
    return [
        ("format", " ".join(filter(None, [call.format, call.dialect]))),
        ("evidence", f"{call.grade}: {GRADES.get(call.grade, '')}"),
        ("gaps", "\n".join(map(gap_words, gaps)) or "none known"),
        *(("also", f"{name}: {value}") for name, value in list(call.extra.items())[:40]),
    ]
