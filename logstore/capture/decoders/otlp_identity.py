"""Who a trace belongs to: identity attributes, and joining them from the spans above a span.

Instrumentation of model clients sends no user (measured: 0 of 3 calls); the application's own
request span does. So a span or log record is given the identity of its nearest ancestor that has
one, or else of its trace's root, across the export requests of one file or stream.

Siblings are not asked: one batch job's trace may serve many people.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from logstore.capture.decoders.identity import LITELLM_ADMIN
from logstore.capture.decoders.jsonvalues import identifier, loaded
from logstore.capture.interaction import Assurance, Subject
from logstore.capture.items import Context

MAX_SPANS = 200_000
"""Most spans remembered over all traces."""

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


class TraceIdentities:
    """The spans of recent traces and the identity each carries; bounded, oldest trace forgotten.

    One object serves one file or stream, or a live receiver. Not safe for use by several threads.
    """

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self._max = max_spans
        self._count = 0
        self._traces: OrderedDict[str, dict[str, tuple[str, Context | None]]] = OrderedDict()
        self._roots: dict[str, Context] = {}
        self._named: set[str] = set()

    def saw(self, trace: str, span: str, parent: str, identity: Context | None) -> None:
        """Remember one span; empty ids are not remembered."""
        if not trace or not span:
            return
        spans = self._traces.get(trace)
        if spans is None:
            spans = self._traces[trace] = {}
        else:
            self._traces.move_to_end(trace)
        if not parent and identity is not None:
            self._roots[trace] = identity
        if identity is not None:
            self._named.add(trace)
        if len(spans) < MAX_TRACE and span not in spans:
            self._count += 1
            spans[span] = (parent, identity)
        while self._count > self._max and len(self._traces) > 1:
            oldest, forgotten = self._traces.popitem(last=False)
            self._roots.pop(oldest, None)
            self._named.discard(oldest)
            self._count -= len(forgotten)

    @property
    def size(self) -> int:
        """Spans remembered now."""
        return self._count

    def names_somebody(self, trace: str) -> bool:
        """Whether any span of a trace that is remembered carries an identity."""
        return trace in self._named

    def above(self, trace: str, span: str) -> Context | None:
        """The identity for `span`'s parent's child: its nearest ancestor's, or else its root's.

        Args:
            trace: trace id, hex.
            span: the span to begin with; it is asked too (a span asks for its parent).
        """
        spans = self._traces.get(trace)
        if spans is None:
            return None
        joined = _NOBODY
        for _ in range(MAX_ANCESTORS):
            found = spans.get(span)
            if found is None:
                break
            span, identity = found
            joined = _merged(joined, identity)
        joined = _merged(joined, self._roots.get(trace))
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
