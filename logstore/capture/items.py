"""What a splitter yields: one interaction's evidence bytes, or bytes it could not use.

A splitter cuts a source file into `Item`s without interpreting them; a decoder then reads
`Item.raw` alone. What only the surrounding file knew (the trace's root span, its baggage) travels
beside the evidence as a `Context`.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from logstore.capture.interaction import Subject


class Context(msgspec.Struct, frozen=True, gc=False):
    """Identity joined from elsewhere in the source, for one item.

    Attributes:
        subjects: people named by the trace's root span, baggage or resource.
        session: raw session id.
        conversation: raw conversation id.
        actor: platform identity that made the call.
    """

    subjects: tuple[Subject, ...] = ()
    session: str | None = None
    conversation: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """The evidence of one interaction.

    Attributes:
        raw: the source's own bytes for it; exactly what the decoder of `format` reads.
        format: a key of `logstore.capture.registry.DECODERS`.
        where: its place in the source for a person, e.g. ``line 12`` or ``element 3``.
        context: identity joined from elsewhere, if any.
    """

    raw: bytes
    format: str
    where: str
    context: Context | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    """Bytes of a source that are no interaction.

    Attributes:
        raw: the offending bytes; at most the splitter's own cap of them.
        where: their place in the source for a person.
        reason: why, as a slug that carries no content, e.g. ``not-json``.
    """

    raw: bytes
    where: str
    reason: str
