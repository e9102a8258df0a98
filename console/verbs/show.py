"""`aircon show`: one record, whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.opening import OpenStore
from console.output import Painted, Style
from logstore.errors import NotFound, UsageError

if TYPE_CHECKING:
    from console.presenters.spans import Line, Role
    from logstore.query.rows import Detail

_CELLS = 100
_STYLES: dict[Role, Style] = {
    "dim": "dim",
    "strong": "bold",
    "title": "bold",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "user": "cyan",
    "model": "green",
    "tool": "yellow",
    "mark": "bold",
}


def run(args: argparse.Namespace) -> int:
    """Show it, and on request the conversation around it."""
    if args.alone and args.conversation:
        raise UsageError("--alone shows one record; --conversation, what stands around it")
    with OpenStore(args, "show") as store:
        index = resolve(store, args.record)
        details = [_alone(store, index)] if args.alone else _found(store, index, args)
        if args.json:
            for detail in details:
                output.record(asking.detail_object(detail, raw=args.raw))
        else:
            _print(store, details, index, raw=args.raw)
        diagnostics.note(store.verified_words(store.reader.size))
    return diagnostics.OK


def _found(store: OpenStore, index: int, args: argparse.Namespace) -> list[Detail]:
    explorer = store.explorer
    details = list(explorer.conversation(index)) if args.conversation else []
    return details or [explorer.detail(index)]


def _alone(store: OpenStore, index: int) -> Detail:
    from logstore.query.access import AccessEvent
    from logstore.query.detail import open_alone

    detail = open_alone(store.reader, index)
    if store.recorder is not None:
        store.recorder(AccessEvent("detail", f"record {index}", 1, (index,)))
    return detail


def resolve(store: OpenStore, said: str) -> int:
    """The index of the record that a person named by index or id.

    Raises:
        NotFound: there is no such record.
    """
    if said.isascii() and said.isdigit():
        index = int(said[:20])
        if index >= store.reader.size:
            raise NotFound(
                f"there is no record {said}: the log holds 0 to {store.reader.size - 1}",
                todo="Find records with `aircon search`.",
            )
        return index
    return store.reader.find(said)


def _print(store: OpenStore, details: list[Detail], index: int, *, raw: bool) -> None:
    from console.presenters.evidence import leaf
    from console.presenters.evidence import raw as raw_lines
    from console.presenters.facts import facts
    from console.presenters.talk import talk

    here = next(detail for detail in details if detail.row.index == index)
    _lines(facts(here, store.standing(), _CELLS))
    _lines(talk(details, index, _CELLS))
    _lines(leaf(here, _CELLS))
    if raw:
        _lines(raw_lines(here, _CELLS))


def _lines(lines: Iterable[Line]) -> None:
    for spans in lines:
        pieces = [
            Painted(span.text, _STYLES[span.role]) if span.role in _STYLES else span.text
            for span in spans
        ]
        output.line(*pieces)
