"""From a decoded item to the record that the log takes.

Only what `clearfields` admits stands in clear. Facts it refuses go into the body's note, beside
the evidence bytes and the identity resolved at capture, all as the source spelled them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from logstore.capture.interaction import Assurance, Interaction, Subject
from logstore.capture.items import Bad, Context, Item
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.clearfields import split
from logstore.formats.leaf import ClearValue
from logstore.formats.record import INTERACTION, LOG, SPAN, Record

MAX_SUBJECTS = 32
"""Most people one record is encrypted for; a source that names more is attacking the key store."""

MAX_SUBJECT = 1024
"""Longest identity in characters that gets a key of its own."""

MAX_LISTED = 24_000
"""Most characters of all clear lists together, so that a leaf always fits its 65,535 bytes."""

_USAGE = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_write.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
}
_PARAMS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "choice_count": "gen_ai.request.choice.count",
}


def to_record(
    item: Item, interaction: Interaction, *, source: str, by: str, seq: int | None
) -> Record:
    """The record of one decoded item.

    Args:
        item: the evidence, with identity joined from elsewhere in its source.
        interaction: what its decoder read.
        source: importer or sender; never a person.
        by: operator or service identity that writes the record.
        seq: number of the item in its source.

    Raises:
        FormatError: the evidence is larger than a body may be.
    """
    context = item.context or _NO_CONTEXT
    subjects, left_out = _subjects(interaction.subjects, context.subjects)
    clear, refused = split(clear_candidates(interaction))
    _limit_lists(clear, refused)
    if subjects and "no-user" in interaction.gaps:
        _drop_gap(clear, "no-user")
    session = interaction.session_id or context.session
    conversation = interaction.conversation_id or context.conversation
    note = _note(item, refused, left_out)
    content = bodies.encode(
        Body(
            raw=item.raw,
            format=item.format,
            subjects=subjects,
            session=session,
            conversation=conversation,
            actor=interaction.actor or context.actor,
            note=note,
        )
    )
    return Record(
        kind=kind_of(interaction),
        source=source,
        by=by,
        time_us=interaction.start_us or interaction.end_us,
        clear=clear,
        content=content,
        subjects=tuple(subjects),
        conversation=conversation or session or interaction.trace_id,
        session=session,
        seq=seq,
    )


def kind_of(found: Interaction) -> str:
    """The record kind: a span or log line that names no model is the application's own."""
    if found.request_model or found.response_model:
        return INTERACTION
    return found.operation if found.operation in _ASIDE else INTERACTION


def to_rejected(
    bad: Bad, *, source: str, by: str, seq: int | None, kind: str = "import.rejected"
) -> Record:
    """The record of bytes that were no interaction: encrypted whole, only the reason in clear."""
    content = bodies.encode(Body(raw=bad.raw, format=kind, note={"where": bad.where}))
    return Record(
        kind=kind,
        source=source,
        by=by,
        clear={"reason": bad.reason},
        content=content,
        seq=seq,
    )


def clear_candidates(found: Interaction) -> dict[str, object]:
    """Every fact that may stand in clear, by leaf name; absent ones are left out."""
    usage, params = found.usage, found.params
    facts: dict[str, object] = {
        "gen_ai.operation.name": found.operation,
        "gen_ai.provider.name": found.provider,
        "gen_ai.request.model": found.request_model,
        "gen_ai.response.model": found.response_model,
        "aircon.model.version": found.model_version,
        "openai.response.system_fingerprint": found.system_fingerprint,
        "error.type": found.error_type,
        "http.response.status_code": found.http_status,
        "gen_ai.request.stream": found.stream,
        "aircon.cost_usd": found.cost_usd,
        "aircon.time_to_first_chunk_us": found.ttft_us,
        "service.name": found.application,
        "service.version": found.application_version,
        "deployment.environment.name": found.environment,
        "gen_ai.agent.name": found.agent,
        "gen_ai.prompt.name": found.prompt_name,
        "gen_ai.prompt.version": found.prompt_version,
        "aircon.capture.format": found.format,
        "aircon.capture.dialect": found.dialect or None,
        "aircon.capture.grade": found.grade,
        "gen_ai.response.finish_reasons": found.finish_reasons or None,
        "aircon.tool.names": found.tool_names or None,
        "aircon.dataset.ids": found.dataset_ids or None,
        "aircon.document.ids": found.document_ids or None,
        "gen_ai.guardrail.verdict.type": found.guardrail_verdicts or None,
        "aircon.capture.gaps": found.gaps or None,
    }
    if found.stream_aborted:
        facts["aircon.stream.aborted"] = True
    if found.start_us is not None and found.end_us is not None:
        facts["aircon.duration_us"] = found.end_us - found.start_us
    for name, value in usage.items():
        facts[_USAGE.get(name, name)] = value
    for name, sampled in params.items():
        facts[_PARAMS.get(name, name)] = sampled
    return facts


class _Joined(msgspec.Struct):
    """As `_context_note` writes it."""

    subjects: list[tuple[str, str, Assurance]] = []
    session: str | None = None
    conversation: str | None = None
    actor: str | None = None


def joined_context(note: Mapping[str, object]) -> Context | None:
    """The identity that was joined when a record was taken, from its body's note; None for none."""
    try:
        said = msgspec.convert(note["context"], _Joined)
    except (KeyError, msgspec.ValidationError):
        return None
    people = tuple(Subject(*each) for each in said.subjects)
    return Context(people, said.session, said.conversation, said.actor)


_NO_CONTEXT = Context()
_ASIDE = frozenset({SPAN, LOG})


def _note(item: Item, refused: dict[str, object], left_out: list[str]) -> dict[str, object]:
    """What stands in the body beside the evidence itself."""
    note: dict[str, object] = {"where": item.where}
    if refused:
        note["clear"] = {name: _storable(value) for name, value in refused.items()}
    if left_out:
        note["subjects_left_out"] = left_out
    if item.context is not None:
        note["context"] = _context_note(item.context)
    return note


def _subjects(own: list[Subject], joined: tuple[Subject, ...]) -> tuple[list[str], list[str]]:
    """(distinct ids that get a key, those over the limits)."""
    if not own and not joined:
        return [], []
    ids = list(dict.fromkeys([*(s.id for s in own), *(s.id for s in joined)]))
    kept = [known for known in ids if len(known) <= MAX_SUBJECT][:MAX_SUBJECTS]
    return kept, [] if len(kept) == len(ids) else [known for known in ids if known not in kept]


def _storable(value: object) -> object:
    """A refused value as MessagePack can hold it: whole numbers over 64 bits become text."""
    return str(value) if isinstance(value, int) and value.bit_length() > 63 else value


def _limit_lists(clear: dict[str, ClearValue], refused: dict[str, object]) -> None:
    count = 0
    for value in clear.values():
        if type(value) is list:
            count += len(value)
    if count < 64:  # 64 strings of 200 characters always fit
        return
    lists = [(name, value) for name, value in clear.items() if type(value) is list]
    sizes = {name: sum(len(str(item)) + 3 for item in value) for name, value in lists}
    while sum(sizes.values()) > MAX_LISTED:
        longest = max(sizes, key=lambda name: sizes[name])
        refused[longest] = clear.pop(longest)
        del sizes[longest]


def _drop_gap(clear: dict[str, ClearValue], gap: str) -> None:
    gaps = clear.get("aircon.capture.gaps")
    if isinstance(gaps, list):
        kept = [str(known) for known in gaps if known != gap]
        if kept:
            clear["aircon.capture.gaps"] = kept
        else:
            del clear["aircon.capture.gaps"]


def _context_note(context: Context) -> dict[str, object]:
    return {
        "subjects": [[s.id, s.field, s.assurance] for s in context.subjects],
        "session": context.session,
        "conversation": context.conversation,
        "actor": context.actor,
    }
