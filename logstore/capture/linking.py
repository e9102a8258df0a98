"""Attributes records to people who became known only after the records were stored. Pure.

A live application sends the span of a model call before the request's own span, which ends last
and alone says who asked. The call is then on the log already, under a key of its conversation. A
`Linker` watches records pass by and says, once it is known, whom earlier ones concern: with
``subject.linked`` records, which name the earlier records in clear and the person only encrypted.

Rules of this file:

1. A record that names a person itself is never attributed to another.
2. By trace: as `otlp_identity` joins within a request, from the nearest span above, else the root.
3. By conversation: only where a source's own conversation id was seen with exactly one person,
   and never among records of before: who watched those knew more than is read back of them.
4. Sources are kept apart, so that no sender can attribute another's records.
5. What is waited for is bounded in number and in bytes, whatever senders name things; what was
   forgotten stays unattributed, and nothing else is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from sys import getsizeof
from typing import Literal, NamedTuple

import msgspec

from logstore.capture.decoders.otlp_identity import MAX_ID, TraceIdentities, memorable, weight
from logstore.capture.interaction import Interaction
from logstore.capture.items import Context
from logstore.capture.recent import Recent
from logstore.capture.records import MAX_SUBJECT, MAX_SUBJECTS
from logstore.formats import body as bodies
from logstore.formats.body import Body
from logstore.formats.record import CAPTURED, LINKED, Record

MAX_WAITING = 100_000
"""Most records waited for, over all traces and conversations."""

MAX_WAITING_HERE = 2_000
"""Most records waited for of one trace or one conversation."""

MAX_CONVERSATIONS = 100_000
"""Most conversations whose person is remembered."""

MAX_BYTES = 64 * 2**20
"""Most bytes of memory that what waits of traces may take, what waits of conversations, and the
people of conversations: each. Spans have a bound of their own (`otlp_identity.MAX_BYTES`)."""

MAX_LISTED = 1_000
"""Most earlier records that one record attributes."""

_SEVERAL = Context()  # of a conversation of two people: it says nothing any more
_WAITING = 120  # bytes of a waiting record beside the id above it: measured

Basis = Literal["trace", "conversation"]
"""What says that a record is a person's."""


class Sighting(NamedTuple):
    """What linking needs to know of one captured record.

    Attributes:
        source: source of the record.
        trace: trace id; empty where there is none.
        span: the record's own span id where it is a span.
        above: id of the span to ask first: its parent, or for a log record its span.
        identity: people, session and conversation that it names itself.
        person: the same, or else whom the spans above it named when it was taken.
        conversation: the source's own conversation id.
        unnamed: it is stored without any person.
    """

    source: str
    trace: str
    span: str
    above: str
    identity: Context | None
    person: Context | None
    conversation: str | None
    unnamed: bool


def sighting_of(found: Interaction, record: Record, context: Context | None = None) -> Sighting:
    """What a decoded record tells about people, before it has an index.

    Args:
        found: as decoded.
        record: as it is stored.
        context: `Item.context`, what was joined when it was taken.
    """
    is_span = found.grade == "span"
    joined = context if context is not None and context.subjects else None
    named = Context(tuple(found.subjects), found.session_id, found.conversation_id, found.actor)
    own = memorable(named) if found.subjects else None
    return Sighting(
        source=record.source,
        trace=_short(found.trace_id),
        span=_short(found.span_id) if is_span else "",
        above=_short(found.parent_span_id if is_span else found.span_id),
        identity=own,
        person=own or memorable(joined),
        conversation=_short(found.conversation_id) or None,
        unnamed=record.kind in CAPTURED and not record.subjects,
    )


def _short(name: str | None) -> str:
    """An id as it is remembered; one of any length would let its sender fill the memory."""
    return name if name is not None and len(name) <= MAX_ID else ""


class _Waiting(msgspec.Struct, gc=False):
    """A stored record whose person is not known yet."""

    index: int
    above: str
    done: bool = False

    @property
    def weight(self) -> int:
        """Bytes of memory it takes."""
        return _WAITING + getsizeof(self.above)


class _Queue:
    """Records waiting under a key, oldest key forgotten first."""

    def __init__(self, most: int) -> None:
        self._waiting: Recent[list[_Waiting]] = Recent(most, MAX_BYTES)

    def add(self, key: str, record: _Waiting) -> None:
        here = self._waiting.get(key)
        if here is None:
            here = []
            self._waiting.put(key, here, count=0, size=0)
        if len(here) < MAX_WAITING_HERE:
            here.append(record)
            self._waiting.grow(key, count=1, size=record.weight)

    def open(self, key: str) -> list[_Waiting]:
        """The records still waiting under a key."""
        here = self._waiting.get(key)
        if not here:
            return []
        left = [record for record in here if not record.done]
        if left:
            size = sum(record.weight for record in left)
            self._waiting.put(key, left, count=len(left), size=size)
        else:
            self._waiting.forget(key)
        return left


class Linker:
    """Watches captured records in the order of the log. Not safe for use by several threads.

    Args:
        by: operator or service identity of the records it makes.
        most: most records waited for.
    """

    def __init__(self, by: str = "aircon", most: int = MAX_WAITING) -> None:
        self._by = by
        self._spans = TraceIdentities()
        self._by_trace = _Queue(most)
        self._by_conversation = _Queue(most)
        self._people: Recent[Context] = Recent(MAX_CONVERSATIONS, MAX_BYTES)

    def stored(self, seen: Iterable[tuple[Sighting, int]]) -> list[Record]:
        """Take records that are durable now; gives the ``subject.linked`` records to append.

        Args:
            seen: what `sighting_of` made of each, and the index it got, in the order of the log.
        """
        return self._take(seen, self._linked_by_conversation)

    def recalled(self, seen: Iterable[tuple[Sighting, int]]) -> list[Record]:
        """As `stored`, for records from before this watching began, as far back as they are read.

        Whoever watched then gave the calls of a conversation to its person. Calls that were left to
        nobody all the same are of several people, of whom some lie farther back.
        """
        return self._take(seen, self._doubted)

    def _take(
        self,
        seen: Iterable[tuple[Sighting, int]],
        by_conversation: Callable[[str, str], Iterable[Record]],
    ) -> list[Record]:
        traces: dict[str, str] = {}
        conversations: dict[str, str] = {}
        for sighting, index in seen:
            self._see(sighting, index, traces, conversations)
        made = [
            record
            for key, source in traces.items()
            for record in self._linked_by_trace(key, source)
        ]
        for key, source in conversations.items():
            made += by_conversation(key, source)
        return made

    def _see(
        self, sighting: Sighting, index: int, traces: dict[str, str], conversations: dict[str, str]
    ) -> None:
        waiting = _Waiting(index, sighting.above) if sighting.unnamed else None
        if sighting.trace:
            key = f"{sighting.source}\0{sighting.trace}"
            if sighting.span:
                parent = sighting.above
                self._spans.saw(key, sighting.span, parent, sighting.identity)
            if waiting is not None:
                self._by_trace.add(key, waiting)
            traces[key] = sighting.source
        if sighting.conversation:
            key = f"{sighting.source}\0{sighting.conversation}"
            if sighting.person is not None:
                self._remember(key, sighting.person)
            if waiting is not None:
                self._by_conversation.add(key, waiting)
            conversations[key] = sighting.source

    def _remember(self, key: str, who: Context) -> None:
        known = self._people.get(key) or who
        kept = known if _ids(known) == _ids(who) else _SEVERAL
        self._people.put(
            key, kept, size=weight(kept)
        )  # who is heard of again is remembered longest

    def _linked_by_trace(self, key: str, source: str) -> Iterator[Record]:
        if not self._spans.names_somebody(key):
            return
        groups: dict[tuple[tuple[str, ...], str | None], tuple[Context, list[int]]] = {}
        for record in self._by_trace.open(key):
            found = self._spans.above(key, record.above)
            if found is not None and _ids(found):
                record.done = True
                place = (_ids(found), found.session)
                groups.setdefault(place, (found, []))[1].append(record.index)
        for who, indexes in groups.values():
            yield from self._records(who, indexes, source, "trace")

    def _linked_by_conversation(self, key: str, source: str) -> Iterator[Record]:
        who = self._people.get(key)
        if who is None or who is _SEVERAL:
            return
        waiting = self._by_conversation.open(key)
        for record in waiting:
            record.done = True
        indexes = [record.index for record in waiting]
        yield from self._records(who, indexes, source, "conversation")

    def _doubted(self, key: str, _: str) -> Iterable[Record]:
        if self._people.get(key) is not None and self._by_conversation.open(key):
            self._people.put(key, _SEVERAL, size=weight(_SEVERAL))
        return ()

    def _records(
        self, who: Context, indexes: list[int], source: str, basis: Basis
    ) -> Iterator[Record]:
        for at in range(0, len(indexes), MAX_LISTED):
            yield linked(
                who, indexes[at : at + MAX_LISTED], source=source, by=self._by, basis=basis
            )


def linked(who: Context, indexes: list[int], *, source: str, by: str, basis: Basis) -> Record:
    """The record that attributes earlier records to people.

    Args:
        who: at least one person, and perhaps their session and conversation.
        indexes: the earlier records.
        source: source of those.
        by: operator or service identity that attributes them.
        basis: why they are theirs.
    """
    people = [[subject.id, subject.field, subject.assurance] for subject in who.subjects]
    content = Body(
        subjects=list(_ids(who)),
        session=who.session,
        conversation=who.conversation,
        actor=who.actor,
        note={"basis": basis, "people": people},
    )
    return Record(
        kind=LINKED,
        source=source,
        by=by,
        clear={"basis": basis, "records": sorted(indexes)},
        content=bodies.encode(content),
        subjects=_ids(who),
        conversation=who.conversation,
        session=who.session,
    )


def _ids(who: Context) -> tuple[str, ...]:
    kept = (subject.id for subject in who.subjects if len(subject.id) <= MAX_SUBJECT)
    return tuple(dict.fromkeys(kept))[:MAX_SUBJECTS]
