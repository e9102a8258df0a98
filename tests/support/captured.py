"""Reading recorded and hand-made source files the way an import does."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from logstore.capture.beside import Folder
from logstore.capture.inflating import inflated
from logstore.capture.interaction import Interaction, Message
from logstore.capture.items import Bad, Item
from logstore.capture.registry import decode
from logstore.capture.splitting import split

JsonObject = dict[str, Any]


def pieces_of(path: Path) -> list[Item | Bad]:
    folder = Folder(path)
    try:
        with path.open("rb") as file:
            return list(split(inflated(file)[0], folder=folder))
    finally:
        folder.close()


def pieces_in(data: bytes) -> list[Item | Bad]:
    return list(split(inflated(io.BytesIO(data))[0]))


def items_of(path: Path) -> list[Item]:
    return [piece for piece in pieces_of(path) if isinstance(piece, Item)]


def interactions_of(path: Path) -> list[Interaction]:
    return [decode(item.raw, item.format) for item in items_of(path)]


def truth(shared_data: Path, run: str) -> list[JsonObject]:
    with (shared_data / "capture/GROUND_TRUTH.jsonl").open() as lines:
        return [row for row in map(json.loads, lines) if row["run"] == run]


def said(messages: list[Message], kind: str = "text") -> str:
    return "".join(p.text for m in messages for p in m.parts if p.type == kind)


def calls(messages: list[Message]) -> list[tuple[str | None, str | None, Any]]:
    return [
        (p.id, p.name, json.loads(p.text))
        for m in messages
        for p in m.parts
        if p.type == "tool_call"
    ]
