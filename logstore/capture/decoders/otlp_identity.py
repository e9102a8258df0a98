"""Who a trace belongs to: identity attributes, and joining them from the spans above a span.

Instrumentation of model clients sends no user (measured: 0 of 3 calls); the application's own
request span does. So a span or log record is given the identity of its nearest ancestor that has
one, or else of its trace's root, across the export requests of one file or stream.

Siblings are not asked: one batch job's trace may serve many people.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof
from typing import Literal, NamedTuple

import msgspec

from logstore.capture.decoders.identity import LITELLM_ADMIN
from logstore.capture.decoders.jsonvalues import identifier, loaded
from logstore.capture.interaction import Assurance, Subject
from logstore.capture.items import Context
from logstore.capture.recent import Recent
from logstore.capture.records import MAX_SUBJECTS

MAX_SPANS = 200_000
"""Most spans remembered over all traces."""

MAX_BYTES = 128 * 2**20
"""Most bytes of memory that they take."""

MAX_TRACE = 10_000
"""Most spans remembered of one trace."""

MAX_ANCESTORS = 64
"""Farthest ancestor that is asked."""

MAX_ID = 1_024
"""Longest identity in characters; a longer value is no identity."""


class Identity(NamedTuple):
    """What one attribute says: a subject, session, conversation or actor, and who vouches."""

    slot: Literal["subject", "session", "conversation", "actor"]
    assurance: Assurance = "sdk"


_USER = Identity("subject")
_CALLER = Identity("subject", "caller")
_SESSION = Identity("session")
_CONVERSATION = Identity("conversation")
_TRACELOOP = "traceloop.association.properties."

IDENTITY: dict[str, Identity] = {
    "enduser.id": _USER,
    "enduser.pseudo.id": _USER,
    "user.id": _USER,
    "user.email": _USER,
    "user.account_uuid": _USER,
    "baggage.user.id": _USER,
    "baggage.enduser.id": _USER,
    "langfuse.user.id": _USER,
    "langfuse.trace.user_id": _USER,
    "mlflow.trace.user": _USER,
    "ai.telemetry.metadata.userId": _USER,
    _TRACELOOP + "user_id": _USER,
    _TRACELOOP + "userId": _USER,
    _TRACELOOP + "user.id": _USER,
    _TRACELOOP + "user": _USER,
    "gen_ai.user": _CALLER,
    "gen_ai.request.user": _CALLER,
    "llm.user": _CALLER,
    "metadata.user_api_key_user_id": Identity("subject", "platform"),
    "metadata.user_api_key_user_email": Identity("subject", "platform"),
    "metadata.user_api_key_end_user_id": _CALLER,
    "metadata.user_api_key_alias": Identity("actor", "platform"),
    "anthropic.organization.id": Identity("actor", "platform"),
    "session.id": _SESSION,
    "baggage.session.id": _SESSION,
    "langfuse.session.id": _SESSION,
    "langfuse.trace.session_id": _SESSION,
    "mlflow.trace.session": _SESSION,
    _TRACELOOP + "session_id": _SESSION,
    _TRACELOOP + "sessionId": _SESSION,
    _TRACELOOP + "session.id": _SESSION,
    "gen_ai.conversation.id": _CONVERSATION,
    _TRACELOOP + "conversation_id": _CONVERSATION,
    _TRACELOOP + "thread_id": _CONVERSATION,
    _TRACELOOP + "chat_id": _CONVERSATION,
}
"""Every attribute that names somebody or something a person's records hang on."""

_STRENGTH: dict[Assurance, int] = {"platform": 0, "sdk": 1, "caller": 2}
_NOBODY = Context()
_NO_PERSON = ("metadata.user_api_key_user_id", LITELLM_ADMIN)

# Bytes beside what the names themselves take, measured: of a trace, a span in it, an identity and
# a person in it.
_TRACE, _SPAN, _CONTEXT, _SUBJECT = 350, 200, 150, 120


def named(value: object) -> str | None:
    """The identity an attribute value holds, or None; MLflow and Langfuse quote theirs as JSON."""
    if isinstance(value, str) and value[:1] == '"':
        value = loaded(value)
    found = identifier(value)
    return found if found is not None and len(found) <= MAX_ID else None


def stated(key: str, value: object) -> str | None:
    """The identity that an attribute of `IDENTITY` holds, or None where it names nobody."""
    who = named(value)
    return None if (key, who) == _NO_PERSON else who


def distinct(subjects: Iterable[Subject]) -> list[Subject]:
    """Each person once, best vouched for first."""
    subjects = list(subjects)
    if len(subjects) < 2:
        return subjects
    seen: dict[str, Subject] = {}
    for subject in sorted(subjects, key=lambda subject: _STRENGTH[subject.assurance]):
        seen.setdefault(subject.id, subject)
    return list(seen.values())


def identity_of(pairs: Iterable[tuple[str, object]]) -> Context | None:
    """The identity that attributes carry; None when there is none."""
    subjects: list[Subject] = []
    found: dict[str, str] = {}
    for key, value in pairs:
        identity = IDENTITY.get(key)
        if identity is None or (who := stated(key, value)) is None:
            continue
        if identity.slot == "subject":
            subjects.append(Subject(who, key, identity.assurance))
        else:
            found.setdefault(identity.slot, who)
    if not subjects and not found:
        return None
    return Context(subjects=tuple(distinct(subjects)), **found)


def memorable(who: Context | None) -> Context | None:
    """What of an identity is worth remembering: ids that can get a key, and no more than may.

    Whoever sends it chooses how many there are and how long; None where nothing is left.
    """
    if who is None:
        return None
    people = tuple(each for each in who.subjects if len(each.id) <= MAX_ID >= len(each.field))
    rest = [name if _fits(name) else None for name in (who.session, who.conversation, who.actor)]
    if not people and not any(rest):
        return None
    if len(people) == len(who.subjects) <= MAX_SUBJECTS and rest == [*_slots(who)]:
        return who
    return Context(people[:MAX_SUBJECTS], *rest)


def weight(who: Context | None) -> int:
    """Bytes of memory that an identity takes."""
    if who is None:
        return 0
    people = sum(_SUBJECT + getsizeof(each.id) + getsizeof(each.field) for each in who.subjects)
    return _CONTEXT + people + sum(getsizeof(name) for name in _slots(who) if name)


def _slots(who: Context) -> tuple[str | None, ...]:
    return who.session, who.conversation, who.actor


def _fits(name: str | None) -> bool:
    return name is None or len(name) <= MAX_ID


class _Trace(msgspec.Struct, gc=False):
    """The spans of one trace, each with its parent and identity."""

    spans: dict[str, tuple[str, Context | None]] = {}
    root: Context | None = None
    is_named: bool = False


class TraceIdentities:
    """The spans of recent traces and the identity each carries; bounded, oldest trace forgotten.

    One object serves one file or stream, or a live receiver. Not safe for use by several threads.

    Args:
        max_spans: most spans remembered.
        max_bytes: most bytes of memory they may take; one trace gets an eighth of it.
    """

    def __init__(self, max_spans: int = MAX_SPANS, max_bytes: int = MAX_BYTES) -> None:
        self._share = max_bytes // 8
        self._traces: Recent[_Trace] = Recent(max_spans, max_bytes)

    def saw(self, trace: str, span: str, parent: str, identity: Context | None) -> None:
        """Remember one span; empty and overlong ids are not remembered."""
        if not trace or not span or max(len(trace), len(span), len(parent)) > MAX_ID:
            return
        identity = memorable(identity)
        found = self._traces.get(trace)
        if found is None:
            found = _Trace()
            self._traces.put(trace, found, count=0, size=_TRACE)
        count = size = 0
        if identity is not None:
            found.is_named = True
            if not parent:
                size += weight(identity) - weight(found.root)
                found.root = identity
        if span not in found.spans and len(found.spans) < MAX_TRACE:
            more = _SPAN + getsizeof(span) + getsizeof(parent) + weight(identity)
            if self._traces.size_of(trace) + size + more <= self._share:
                found.spans[span] = (parent, identity)
                count, size = 1, size + more
        self._traces.grow(trace, count=count, size=size)

    @property
    def size(self) -> int:
        """Spans remembered now."""
        return self._traces.count

    @property
    def weight(self) -> int:
        """Bytes of memory that they take."""
        return self._traces.size

    def names_somebody(self, trace: str) -> bool:
        """Whether any span of a trace that is remembered carries an identity."""
        found = self._traces.get(trace)
        return found is not None and found.is_named

    def above(self, trace: str, span: str) -> Context | None:
        """The identity for `span`'s parent's child: its nearest ancestor's, or else its root's.

        Args:
            trace: trace id, hex.
            span: the span to begin with; it is asked too (a span asks for its parent).
        """
        known = self._traces.get(trace)
        if known is None:
            return None
        joined = _NOBODY
        for _ in range(MAX_ANCESTORS):
            found = known.spans.get(span)
            if found is None:
                break
            span, identity = found
            joined = _merged(joined, identity)
        joined = _merged(joined, known.root)
        return None if joined is _NOBODY else joined


def _merged(near: Context, far: Context | None) -> Context:
    """What is near wins; what it lacks comes from farther up."""
    if far is None or near is far:
        return near
    if near is _NOBODY:
        return far
    return Context(
        subjects=near.subjects or far.subjects,
        session=near.session or far.session,
        conversation=near.conversation or far.conversation,
        actor=near.actor or far.actor,
    )
