"""The five views of one record, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.presenters import evidence
from console.presenters.facts import facts
from console.presenters.spans import Line
from console.presenters.talk import place_of, talk
from console.presenters.verdict import Standing
from logstore.query.rows import Detail

VIEWS = ("talk", "facts", "raw", "leaf", "proof")
"""In the order of their keys 1 to 5."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the detail pane shows.

    Attributes:
        detail: the record.
        conversation: the records of its conversation, itself included; only itself at first.
    """

    detail: Detail
    conversation: Sequence[Detail] = ()


def lay_out(
    view: str, bundle: Bundle, standing: Standing, store: str, cells: int
) -> tuple[list[Line], int]:
    """The lines of a view and the line to start at. Slow on large content: not for the UI thread.

    Args:
        view: one of `VIEWS`.
        bundle: the record.
        standing: how far the log is verified.
        store: the store as a command line names it.
        cells: width in terminal cells.
    """
    match view:
        case "talk":
            lines = talk(bundle.conversation or (bundle.detail,), bundle.detail.row.index, cells)
            return lines, place_of(lines)
        case "facts":
            return facts(bundle.detail, standing, cells), 0
        case "raw":
            return evidence.raw(bundle.detail, cells), 0
        case "leaf":
            return evidence.leaf(bundle.detail, cells), 0
        case _:
            return evidence.proof(bundle.detail, standing, store, cells), 0
