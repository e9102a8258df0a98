"""`aircon tail`: the newest records by event time, and with -f those that come, as they come."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.opening import OpenStore
from console.stoppable import stoppable
from console.verbs.search import paged
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.query.explorer import Explorer
    from logstore.query.rows import Row, Selection

_USUAL = 10
_INTERVAL_S = 0.5


def run(args: argparse.Namespace) -> int:
    """Show the end of the log; Ctrl-C is the ordinary end of following it."""
    form, most = asking.shape(args), asking.limit(args, _USUAL)
    if args.follow and form.format == "parquet":
        raise UsageError("a Parquet file cannot be followed", todo="Use --json or --csv with -f.")
    with OpenStore(args, "tail") as store:
        filtered = asking.wanted(args, store.now_us())
        explorer = store.explorer
        found = stoppable(lambda: explorer.select(filtered), explorer.cancel)
        if form.file is not None:
            store.record_access(
                "access.export", {"text": filtered.to_words(), "file": args.parquet}
            )
        start = 0 if most is None else max(found.count - most, 0)
        chosen = asking.columns(form)
        rows = paged(explorer, found, start)
        if not args.follow:
            output.rows(chosen, asking.cells_of(rows, chosen), form)
            diagnostics.note(store.verified_words(found.size))
            return diagnostics.OK
        followed = _followed(explorer, found, start)
        try:
            output.rows(chosen, asking.cells_of(followed, chosen), replace(form, live=True))
        except KeyboardInterrupt:
            diagnostics.clear_status()
    return diagnostics.OK


def _followed(explorer: Explorer, found: Selection, start: int) -> Iterator[Row]:
    while True:
        yield from paged(explorer, found, start)
        start = found.count
        output.wait(_INTERVAL_S)
        explorer.refresh()
        found = explorer.extend(found)
