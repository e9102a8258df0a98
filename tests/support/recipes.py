"""The pages of docs/capture, as the tests run them: programs, configurations and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/capture"
PROGRAMS = ROOT / "tests/clients/programs"
ENDPOINT = "http://127.0.0.1:4318"
"""Where the pages say that the endpoint is."""

ELSEWHERE = ("python.md",)
"""Pages of our own library, which are tested without any other."""

_BLOCK = re.compile(r"(?:<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXPORT = re.compile(r'export (\w+)="?([^"\n]*)"?')


class Block(NamedTuple):
    """A fenced block of a page, and what the comment before it says of it."""

    page: Path
    note: str
    language: str
    text: str


def blocks() -> Iterator[Block]:
    """Every fenced block of every page of recipes."""
    for page in sorted(PAGES.glob("*.md")):
        if page.name in ELSEWHERE:
            continue
        for note, language, text in _BLOCK.findall(page.read_text("utf-8")):
            yield Block(page, note, language, text)


def variables(name: str, endpoint: str, token: str) -> dict[str, str]:
    """The environment that a page names so, for this endpoint and token."""
    (text,) = [block.text for block in blocks() if block.note == f"environment: {name}"]
    return dict(_EXPORT.findall(real(text, endpoint, token)))


def real(text: str, endpoint: str, token: str) -> str:
    """A page's text with this endpoint and token."""
    return text.replace(ENDPOINT, endpoint).replace("TOKEN", token)
