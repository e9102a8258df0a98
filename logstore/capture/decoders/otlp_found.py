"""What has been found out about one call so far: the tray that dialects put facts on.

Every fact has a place: the name of an `Interaction` field, or ``params.X`` or ``usage.X``. Several
dialects may state the same fact on one span; the one with the lower rank wins, whatever the order
in which they are read, and the value that lost goes to `extra` unless it says the same. Content is
read lazily: only the winner's messages are parsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from logstore.capture.decoders import jsonvalues
from logstore.capture.decoders.chat_messages import speakers
from logstore.capture.decoders.otlp_identity import IDENTITY, named, stated
from logstore.capture.interaction import Assurance, Subject

Reader = Callable[[object], object]
"""An attribute's value to a field's value; None when it has not the wanted shape."""

Tree = dict[str, Any]
"""Flattened attributes (``a.0.b``) put back into nested objects."""

MAX_TREE_DEPTH = 16
_EMPTY: tuple[object, ...] = (None, "", [], {})


class Rule(NamedTuple):
    """Where an attribute's value belongs and how it is read."""

    place: str
    read: Reader


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vocabulary of attributes.

    Attributes:
        name: what `Interaction.dialect` calls it.
        rules: attribute name to place.
        content: attribute name to ``system``, ``input`` or ``output`` and its reader.
        indexed: prefixes of flattened attributes.
        finish: reads what tables cannot say, once all attributes have been seen.
    """

    name: str
    rules: Mapping[str, Rule] = field(default_factory=dict)
    content: Mapping[str, Rule] = field(default_factory=dict)
    indexed: tuple[str, ...] = ()
    finish: Callable[[Found, int], None] | None = None


class Found:
    """Facts of one span or log record, with the rank that stated each."""

    __slots__ = (
        "_content", "_ranks", "extra", "facts", "gaps", "metadata", "name", "start_ns",
        "subjects", "trees",
    )  # fmt: skip

    def __init__(self, name: str, start_ns: int) -> None:
        self.name = name
        self.start_ns = start_ns
        self.facts: dict[str, Any] = {}
        self.subjects: list[Subject] = []
        self.metadata: dict[str, object] = {}
        self.extra: dict[str, object] = {}
        self.gaps: set[str] = set()
        self.trees: Tree = {}
        self._ranks: dict[str, tuple[int, str, object]] = {}
        self._content: list[tuple[int, str, str, object, Reader]] = []

    def offer(
        self, place: str, value: object, rank: int, key: str = "", raw: object = None
    ) -> None:
        """State a fact; `key` and `raw` are kept in `extra` if another value wins."""
        if value is None:
            return
        held = self._ranks.get(place)
        if held is None:
            self.facts[place] = value
            self._ranks[place] = (rank, key, raw)
        elif held[0] <= rank:
            if key and self.facts[place] != value:
                self.extra[key] = raw
        else:
            if held[1] and self.facts[place] != value:
                self.extra[held[1]] = held[2]
            self.facts[place] = value
            self._ranks[place] = (rank, key, raw)

    def offer_content(self, place: str, raw: object, read: Reader, rank: int, key: str) -> None:
        """Offer ``system``, ``input`` or ``output`` content, read only if it wins."""
        self._content.append((rank, place, key, raw, read))

    def identify(self, key: str, value: object) -> None:
        """Take an attribute of `otlp_identity.IDENTITY`."""
        identity = IDENTITY[key]
        who = stated(key, value)
        if who is None:
            self.keep(key, value)
        elif identity.slot == "subject":
            self.subjects.append(Subject(who, key, identity.assurance))
        elif identity.slot == "actor":
            self.offer("actor", who, 0, key, value)
            if self.facts["actor"] == who:
                self.facts["actor_assurance"] = identity.assurance
        else:
            self.offer(f"{identity.slot}_id", who, 0, key, value)

    def subject(self, value: object, stated: str, assurance: Assurance = "caller") -> None:
        """Name a person; anything but an id is ignored."""
        who = named(value)
        if who is not None:
            self.subjects.append(Subject(who, stated, assurance))

    def keep(self, key: str, value: object) -> None:
        """Keep what has no place; empty values say nothing."""
        if value not in _EMPTY:
            self.extra[key] = value

    def take(self, key: str) -> Any:
        """Take an attribute back out of `extra`; None when it is not there."""
        return self.extra.pop(key, None)

    def settle_content(self) -> None:
        """Read the content that wins each place; the rest stays in `extra`.

        What cannot be read (JSON cut at an attribute length limit) is a gap, and stays too.
        """
        for _, place, key, raw, read in sorted(self._content, key=lambda offered: offered[0]):
            known = None if self.facts.get(place) else read(raw)
            if known:
                self.facts[place] = known
                self._note_speakers(place, raw)
            else:
                if key:  # content without a key is a copy, out of a body kept elsewhere
                    self.keep(key, raw)
                if known is None and place not in self.facts:
                    self.gaps.add("truncated")

    def _note_speakers(self, place: str, raw: object) -> None:
        if place == "input" and not (isinstance(raw, str) and '"name"' not in raw):
            self.keep("message.names", speakers(jsonvalues.loaded(raw)))

    def grow(self, key: str, value: object) -> bool:
        """Put a flattened attribute into the tree; False when it is nested too deeply."""
        path = key.split(".")
        if len(path) > MAX_TREE_DEPTH:
            return False
        node = self.trees
        for step in path[:-1]:
            inner = node.get(step)
            if not isinstance(inner, dict):
                inner = node[step] = {} if inner is None else {"": inner}
            node = inner
        node[path[-1]] = value
        return True


def branch(tree: object, *path: str) -> Tree:
    """The object at a path of the tree, empty when there is none."""
    node = tree
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def in_order(tree: Tree) -> Iterator[Any]:
    """The values under numeric keys, by number; indexes may start at 1 and have holes."""
    numbered = [
        (int(key), value)
        for key, value in tree.items()
        if len(key) <= 6 and key.isascii() and key.isdigit()
    ]
    return (value for _, value in sorted(numbered, key=lambda pair: pair[0]))


def text(value: object) -> str | None:
    """A non-empty string."""
    return value if isinstance(value, str) and value else None


def unquoted(value: object) -> str | None:
    """A non-empty string that may stand quoted as JSON."""
    return text(jsonvalues.loaded(value))


def texts(value: object) -> list[str] | None:
    """A list of strings, also as JSON text, or one string."""
    value = jsonvalues.loaded(value)
    if isinstance(value, str):
        return [value] if value else None
    return jsonvalues.strings(value) or None


def number(value: object) -> int | float | None:
    """A finite number as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return jsonvalues.number(value)


def seconds(value: object) -> int | None:
    """Seconds as microseconds."""
    found = jsonvalues.number(value)
    return round(found * 1_000_000) if found is not None and 0 <= found < 1e9 else None


def json_text(value: object) -> str | None:
    """A value as text: a string as it is, anything else as JSON."""
    return jsonvalues.as_text(value) or None


integer = jsonvalues.integer
flag = jsonvalues.flag
