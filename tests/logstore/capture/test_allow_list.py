"""Nothing that names a person stands in clear, whatever importer took it.

Every recorded payload and sample is taken to records; every clear value is compared with what is
known of the people in them, and with patterns of addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.captured import items_of

from logstore.capture.interaction import Interaction, Subject
from logstore.capture.items import Bad, Context, Item
from logstore.capture.records import MAX_SUBJECTS, to_record, to_rejected
from logstore.capture.registry import DECODERS, decode
from logstore.formats import body as bodies
from logstore.formats.clearfields import BY_NAME
from logstore.formats.record import Record

PLANTED = (
    "user-4711", "sid-4711", "4711", "maria", "keller", "sess-001", "221 5550123",
    "2215550123", "de89", "3704", "lindenstra", "50674", "88213", "203.0.113", "demo-user",
    "demo-session", "conv_6896", "demo-thread", "org-fake", "support-bot", "111111111111:assumed",
)  # fmt: skip
"""People, sessions and addresses that the recorded calls and samples mention."""

PATTERNS = (
    re.compile(r"[\w.+-]+@[\w-]+\.\w"),  # e-mail
    re.compile(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"),  # IPv4
    re.compile(r"\b(?:[0-9a-f]{1,4}:){4,}[0-9a-f]{0,4}\b", re.IGNORECASE),  # IPv6
    re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,}"),  # IBAN
    re.compile(r"\+\d[\d ()-]{7,}"),  # phone
    re.compile(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{32}\b"),  # raw span or trace id
)

FORMATS_SEEN = {
    "litellm", "bedrock", "openai.pair", "anthropic.pair", "openai.batch", "apim.llm",
    "apim.gateway", "langfuse", "otlp.span", "otlp.span+json", "otlp.log", "otlp.log+json",
}  # fmt: skip


def records(shared_data: Path) -> Iterator[tuple[Path, Record]]:
    for folder in ("capture", "samples"):
        for path in sorted((shared_data / folder).rglob("*")):
            if path.is_file() and path.name != "GROUND_TRUTH.jsonl":
                for item in items_of(path):
                    found = decode(item.raw, item.format)
                    yield path, to_record(item, found, source="import/0", by="aircon", seq=0)


def people_of(shared_data: Path) -> set[str]:
    """Every identity and message the ground truth knows, and every identity taken as a subject."""
    known = {word.lower() for word in PLANTED}
    with (shared_data / "capture/GROUND_TRUTH.jsonl").open() as rows:
        for row in map(json.loads, rows):
            known |= {row[key].lower() for key in ("user", "safety_identifier") if row[key]}
            known |= {m["text"].lower() for m in row["input"] if m["text"]}
            known |= {row["response_id"].lower()} if row["response_id"] else set()
    return known


def test_no_clear_value_of_any_importer_names_a_person(shared_data: Path) -> None:
    known = people_of(shared_data)
    leaks: list[str] = []
    formats: set[str] = set()
    checked = 0
    for path, record in records(shared_data):
        formats.add(str(record.clear["aircon.capture.format"]))
        private = known | {subject.lower() for subject in record.subjects}
        private |= {v.lower() for v in (record.session, record.conversation) if v}
        for name, value in record.clear.items():
            assert name in BY_NAME
            for text in map(str, value if isinstance(value, list) else [value]):
                checked += 1
                leaked = any(word in text.lower() for word in private)
                if leaked or any(pattern.search(text) for pattern in PATTERNS):
                    leaks.append(f"{path.name}: {name} = {text}")
    assert leaks == []
    assert formats >= FORMATS_SEEN
    assert checked > 3000


def test_refused_facts_are_in_the_body_not_lost() -> None:
    found = Interaction(format="litellm", application="Maria Keller's bot", params={"seed": 10**30})
    record = to_record(Item(b"{}", "litellm", "line 1"), found, source="s", by="b", seq=1)
    assert "service.name" not in record.clear
    assert record.content is not None
    note = bodies.parse(record.content).note
    assert note["clear"] == {
        "service.name": "Maria Keller's bot",
        "gen_ai.request.seed": str(10**30),
    }


def test_identity_joined_from_the_trace_reaches_the_record() -> None:
    context = Context((Subject("maria@example.com", "enduser.id", "sdk"),), "s-1", "c-1", "web")
    item = Item(b"span", "otlp.span", "span 1", context)
    found = Interaction(format="otlp.span", gaps=["no-user", "no-time"])
    record = to_record(item, found, source="s", by="b", seq=1)
    assert record.subjects == ("maria@example.com",)
    assert (record.session, record.conversation) == ("s-1", "c-1")
    assert record.clear["aircon.capture.gaps"] == ["no-time"]
    assert record.content is not None
    body = bodies.parse(record.content)
    assert (body.raw, body.actor) == (b"span", "web")
    assert body.note["context"]["subjects"] == [["maria@example.com", "enduser.id", "sdk"]]  # type: ignore[index]


@pytest.mark.parametrize(
    ("operation", "model", "kind"),
    [
        ("chat", "gpt-5", "interaction"),
        ("execute_tool", None, "interaction"),
        (None, None, "interaction"),
        ("span", None, "span"),
        ("log", None, "log"),
        ("span", "gpt-5", "interaction"),  # a call whose kind its source did not say
    ],
)
def test_the_applications_own_spans_and_lines_have_kinds_of_their_own(
    operation: str | None, model: str | None, kind: str
) -> None:
    found = Interaction("otlp.span", operation=operation, response_model=model, error_type="e")
    record = to_record(Item(b"", "otlp.span", ""), found, source="s", by="b", seq=1)
    assert (record.kind, record.clear["error.type"]) == (kind, "e")


def test_a_person_named_twice_is_one_subject() -> None:
    twice = [Subject("u", "user", "caller"), Subject("u", "end_user", "platform")]
    item = Item(b"{}", "litellm", "line 1")
    record = to_record(item, Interaction("litellm", subjects=twice), source="s", by="b", seq=1)
    assert record.subjects == ("u",)


def test_a_flood_of_subjects_does_not_become_a_flood_of_keys() -> None:
    flood = [Subject(f"u{number}", "user", "caller") for number in range(500)]
    flood.append(Subject("x" * 5000, "user", "caller"))
    item = Item(b"{}", "litellm", "line 1")
    record = to_record(item, Interaction("litellm", subjects=flood), source="s", by="b", seq=1)
    assert len(record.subjects) == MAX_SUBJECTS
    assert record.content is not None
    assert len(bodies.parse(record.content).note["subjects_left_out"]) == 501 - MAX_SUBJECTS  # type: ignore[arg-type]


def test_hostile_lists_cannot_outgrow_a_leaf() -> None:
    words = [f"{'w' * 195}{number:04d}" for number in range(64)]
    found = Interaction("x", tool_names=words, finish_reasons=words, document_ids=words, gaps=words)
    found.guardrail_verdicts = found.dataset_ids = words
    record = to_record(Item(b"", "x", ""), found, source="s", by="b", seq=1)
    assert len(json.dumps(dict(record.clear))) < 40_000
    assert record.content is not None
    assert bodies.parse(record.content).note["clear"]


@pytest.mark.parametrize(("conversation", "session", "trace", "key"), [
    ("c", "s", "t", "c"), (None, "s", "t", "s"), (None, None, "t", "t"), (None, None, None, None),
])  # fmt: skip
def test_where_no_person_is_known_the_narrowest_group_keys_the_record(
    conversation: str | None, session: str | None, trace: str | None, key: str | None
) -> None:
    found = Interaction("x", conversation_id=conversation, session_id=session, trace_id=trace)
    record = to_record(Item(b"", "x", ""), found, source="s", by="b", seq=1)
    assert record.conversation == key


def test_a_rejected_piece_shows_its_reason_and_nothing_else() -> None:
    record = to_rejected(Bad(b"maria's line", "line 3", "not-json"), source="s", by="b", seq=4)
    assert record.kind == "import.rejected"
    assert dict(record.clear) == {"reason": "not-json"}
    assert record.content is not None
    assert bodies.parse(record.content).raw == b"maria's line"


def test_every_decoder_of_the_table_can_be_loaded() -> None:
    assert all(callable(decoder) for decoder in DECODERS.values())
    assert len(DECODERS) == 13
