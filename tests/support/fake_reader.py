"""A log reader without a log: the interface of `LogReader` over records made up on demand."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from logstore.capture.decoders.aircon_jsonl import encode
from logstore.capture.interaction import Interaction, Message, Part, Subject
from logstore.capture.items import Item
from logstore.capture.records import to_record
from logstore.disk import Disk
from logstore.errors import CannotJudge
from logstore.formats import body as bodies
from logstore.formats import leaf as leaves
from logstore.formats.body import Body
from logstore.formats.checkpoint import Checkpoint
from logstore.formats.columns import schema, table
from logstore.formats.leaf import BodyRef, Leaf
from logstore.formats.pins import ObjectPin, SegmentPin
from logstore.formats.record import Record
from logstore.storage.blobs import LocalBlobs
from logstore.storage.bodies import Unreadable
from logstore.storage.verifiedfiles import VerifiedFiles

START_US = 1_794_000_000_000_000  # 2026-11-06


@dataclass
class Entry:
    """One record: what its leaf says and what opening its body yields."""

    record: Record
    state: str = "open"


class FakeKeys:
    """Just the key that the working copy asks for."""

    def __init__(self, secret: bytes = b"one") -> None:
        self.secret = secret

    def purpose_key(self, purpose: str) -> bytes:
        return hashlib.sha256(self.secret + purpose.encode()).digest()


@dataclass
class FakeReader:
    """`LogReader` over `entry(index)`; `grow` appends, `seal` writes real index files."""

    entry: Callable[[int], Entry]
    size: int
    directory: Path
    keys: FakeKeys | None = field(default_factory=FakeKeys)
    origin: str = "example.org/log"
    recorded_us: Callable[[int], int] = lambda index: START_US + index * 1_000_000
    pins: list[SegmentPin] = field(default_factory=list)
    opened: list[int] = field(default_factory=list)
    _leaves: dict[int, tuple[Leaf, bytes]] = field(default_factory=dict)

    @property
    def sealed(self) -> int:
        return self.pins[-1].end if self.pins else 0

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.origin, self.sealed or self.size, bytes(32))

    def removed(self) -> dict[str, tuple[int, int]]:
        return {}

    def refresh(self) -> None:
        return

    def seal(self, end: int) -> None:
        first = self.sealed
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"{first}.index.parquet"
        pq.write_table(self._made(first, end), path, row_group_size=20_000)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        pin = ObjectPin(path.name, path.stat().st_size, digest, "", 0)
        self.pins.append(SegmentPin(first, end - first, bytes(32), pin))

    @cached_property
    def files(self) -> VerifiedFiles:
        return VerifiedFiles(LocalBlobs(self.directory, Disk(immutable=False)))

    def _leaf(self, index: int) -> tuple[Leaf, bytes]:
        found = self._leaves.get(index)
        if found is None:
            found = self._make_leaf(index)
            if len(self._leaves) < 20_000:
                self._leaves[index] = found
        return found

    def _make_leaf(self, index: int) -> tuple[Leaf, bytes]:
        record = self.entry(index).record
        body = None
        if record.content is not None:
            tokens = [hashlib.sha256(f"t{s}".encode()).hexdigest()[:32] for s in record.subjects]
            body = BodyRef(sorted(tokens), len(record.content), bytes(32))
        recorded = self.recorded_us(index)
        identifier = f"{recorded // 1000:012x}"
        tail = hashlib.sha256(str(index).encode()).hexdigest()
        clear = dict(record.clear)
        if record.session is not None:
            clear["aircon.session"] = "s" + hashlib.sha256(record.session.encode()).hexdigest()[:16]
        made = Leaf(
            v=1,
            index=index,
            prev=bytes(32),
            id=f"{identifier[:8]}-{identifier[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}",
            kind=record.kind,
            time_us=record.time_us if record.time_us is not None else recorded,
            recorded_us=recorded,
            mono_us=index,
            boot="boot",
            source=record.source,
            by=record.by,
            clear=clear,
            seq=record.seq,
            body=body,
        )
        return made, leaves.encode(made)

    def _made(self, first: int, end: int) -> pa.Table:
        pairs = [self._leaf(index) for index in range(first, min(end, self.size))]
        return table([leaf for leaf, _ in pairs], [raw for _, raw in pairs])

    def table(self, first: int, count: int) -> pa.Table:
        return self._made(first, first + count) if count > 0 else schema().empty_table()

    def leaves(self, first: int, count: int) -> list[bytes]:
        return [self._leaf(index)[1] for index in range(first, min(first + count, self.size))]

    def contents(self, first: int, count: int) -> Iterator[tuple[int, Leaf, Body | Unreadable]]:
        if self.keys is None:
            raise CannotJudge("content needs the key store")
        for index in range(first, min(first + count, self.size)):
            self.opened.append(index)
            entry = self.entry(index)
            content: Any = Unreadable("no-body")
            if entry.record.content is not None:
                content = bodies.parse(entry.record.content)
                if entry.state != "open":
                    content = Unreadable(entry.state)
            yield index, None, content


def chat(
    prompt: str,
    answer: str = "",
    *,
    user: str | None = None,
    **facts: Any,
) -> Interaction:
    """A small chat, with whatever facts a test cares about."""
    people = [Subject(user, "user", "sdk")] if user else []
    output = [Message("assistant", [Part("text", answer)])] if answer else []
    asked = [Message("user", [Part("text", prompt)])]
    known: dict[str, Any] = {
        "format": "aircon",
        "provider": "openai",
        "request_model": "gpt-5",
        "subjects": people,
        "input": asked,
        "output": output,
    }
    return Interaction(**(known | facts))


def entry_of(call: Interaction, *, state: str = "open", source: str = "test") -> Entry:
    """The record of an interaction, through the importer's own mapping."""
    item = Item(encode(call), "aircon", "line 1")
    return Entry(to_record(item, call, source=source, by="aircon", seq=None), state)


def event_of(kind: str, clear: dict[str, Any], note: dict[str, Any] | None = None) -> Entry:
    """A system record."""
    content = bodies.encode(Body(note=note)) if note else None
    return Entry(Record(kind, "aircon", clear=clear, content=content))


def reader_of(entries: list[Entry], directory: Path, **options: Any) -> FakeReader:
    """A reader over a list; append to the list and set `size` to let the log grow."""
    return FakeReader(entries.__getitem__, len(entries), directory, **options)


_ENDS = ("a", "e", "i", "o", "u", "an", "er", "ol")
_SYLLABLES = [sign + end for sign in "bcdfghklmnprstvz" for end in _ENDS]
NEEDLES = {
    "zorblatt-7731": 100_003,
    "sk-live-9f3a77": 5_003,
    "ignore all previous instructions": 1_009,
    "refund policy": 50,
}
"""Planted texts, and one record in how many holds each."""


class Synthetic:
    """A made-up log of any size; record i is the same in every run."""

    def __init__(self, seed: int = 7) -> None:
        rng = random.Random(seed)
        words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(8_000)]
        self.pool = [" ".join(rng.choices(words, k=110)) for _ in range(3_000)]

    def interaction(self, index: int) -> Interaction:
        rng = random.Random(index)
        prompt = self.pool[rng.randrange(3_000)][rng.randrange(200) :]
        answer = self.pool[rng.randrange(3_000)] + f" ref{index:x}"
        for needle, every in NEEDLES.items():
            if index % every == every // 2:
                prompt = f"{prompt} {needle} {rng.randrange(10**6)}"
        user = f"user{int(20_000 * rng.random() ** 3)}@example.org"
        version = f"2026-11-{1 + index * 14 // 1_000_000:02d}"
        call = rng.random() < 0.1
        output = [Message("assistant", [Part("text", answer)])]
        if call:
            output[0].parts.append(Part("tool_call", '{"q":"x"}', f"c{index}", "search_kb"))
        return Interaction(
            format="aircon",
            grade="export",
            provider="openai",
            request_model=("gpt-5", "claude-opus-4-5", "llama-4")[index % 3],
            response_model=("gpt-5", "claude-opus-4-5", "llama-4")[index % 3],
            model_version=version,
            response_id=f"resp-{index:x}",
            trace_id=f"{index // 3:032x}",
            span_id=f"{index:016x}",
            start_us=START_US + index * 1_200_000,
            end_us=START_US + index * 1_200_000 + rng.randrange(10**6),
            session_id=f"sess-{index // 7}",
            subjects=[Subject(user, "user", "sdk")],
            input=[Message("user", [Part("text", prompt)])],
            output=output,
            tool_names=["search_kb"] if call else [],
            usage={"input_tokens": len(prompt) // 4, "output_tokens": len(answer) // 4},
            error_type="timeout" if rng.random() < 0.01 else None,
            application=("support", "coding", "rag")[index % 3],
            prompt_name="p",
            prompt_version=str(index // 200_000),
            dataset_ids=[f"kb-{index // 250_000}"],
        )

    def entry(self, index: int) -> Entry:
        return entry_of(self.interaction(index), source="bench")


def dump_json_lines(path: Path, count: int) -> None:
    """The same records as plain JSON lines, for a comparison with ripgrep."""
    synthetic, encoder = Synthetic(), msgspec.json.Encoder()
    with path.open("wb") as file:
        for index in range(count):
            file.write(encoder.encode(synthetic.interaction(index)) + b"\n")
