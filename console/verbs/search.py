"""`aircon search`: finds records by text, person, session, model or time."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.opening import OpenStore
from console.stoppable import stoppable

if TYPE_CHECKING:
    from logstore.query.explorer import Explorer
    from logstore.query.rows import Row, Selection

_USUAL = 100
_PAGE = 2_000


def run(args: argparse.Namespace) -> int:
    """Search; rows by event time, the newest last."""
    form, most = asking.shape(args), asking.limit(args, _USUAL)
    with OpenStore(args, "search") as store:
        filtered = asking.wanted(args, store.now_us())
        explorer = store.explorer
        found = stoppable(lambda: explorer.select(filtered), explorer.cancel)
        count = found.count if most is None else min(found.count, most)
        if form.file is not None:
            facts = {"rows": count, "text": filtered.to_words(), "file": str(form.file)}
            store.record_access("access.export", facts)
        chosen = asking.columns(form)
        rows = asking.cells_of(paged(explorer, found, found.count - count), chosen)
        output.rows(chosen, rows, form, total=found.count)
        diagnostics.note(store.verified_words(found.size))
    return diagnostics.OK


def paged(explorer: Explorer, found: Selection, start: int) -> Iterator[Row]:
    """The rows of a selection from a position on, a page at a time."""
    for at in range(start, found.count, _PAGE):
        yield from explorer.rows(found, at, _PAGE)
