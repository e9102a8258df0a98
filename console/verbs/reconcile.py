"""`aircon reconcile`: counts the calls that one source has and another lacks."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.columns import Column
from console.opening import OpenStore
from console.output import Shape
from console.progress import Progress
from console.stoppable import stoppable
from logstore.errors import KeyUnavailable, UsageError

if TYPE_CHECKING:
    from logstore.query.reconciling import Compared, Side
    from logstore.query.sides import Unread

_COUNTS = tuple(Column(name, "int") for name in ("both", "likely", "only_log", "only_other"))
_HOURS = (Column("hour", "time", 24), *_COUNTS)
_MODELS = (Column("model", most=40), *_COUNTS)
_MISSING = (
    Column("missing_in", most=8),
    Column("time", "time", 24),
    Column("model", most=30),
    Column("place", most=60),
)
_USUAL = 1_000
_REASONS = 5


def run(args: argparse.Namespace) -> int:
    """Compare, count, and on request list what is missing."""
    if bool(args.against) == bool(args.between):
        raise UsageError(
            "compare the log with files (--against), or two of its sources (--between)"
        )
    form = asking.shape(args)
    most = asking.limit(args, _USUAL)
    with OpenStore(args, "reconcile") as store:
        since, until = asking.period(args, store.now_us())
        if not store.engine.content:
            raise KeyUnavailable("ids of calls are encrypted", todo="Give the passphrase.")
        unread, other = _unread(), args.against or args.between[1]
        compared = _compared(*_sides(args, store, unread)).within(since, until)
        _record(store, args, compared)
        _write(compared, form, args, most)
        _say(compared, unread, str(other))
        diagnostics.note(store.verified_words(store.engine.size))
    totals = compared.totals()
    if totals["only-log"] or totals["only-other"]:
        return diagnostics.DIFFERENT
    return diagnostics.CANNOT_JUDGE if unread.pieces or unread.files else diagnostics.OK


def _unread() -> Unread:
    from logstore.query.sides import Unread

    return Unread()


def _sides(args: argparse.Namespace, store: OpenStore, unread: Unread) -> tuple[Side, Side]:
    from logstore.query.sides import side_of_files

    if args.between:
        first, second = args.between
        return _of_log(store, first), _of_log(store, second)
    with Progress("comparing", "records") as progress:
        return _of_log(store, args.source), side_of_files([args.against], unread, progress)


def _of_log(store: OpenStore, source: str | None) -> Side:
    from logstore.query.sides import side_of_log

    return stoppable(lambda: side_of_log(store.engine, source), store.engine.interrupt)


def _compared(left: Side, right: Side) -> Compared:
    from logstore.query.reconciling import compare

    return compare(left, right)


def _record(store: OpenStore, args: argparse.Namespace, compared: Compared) -> None:
    from logstore.query.access import AccessEvent

    said = " with ".join(args.between) if args.between else f"with {args.against}"
    rows = sum(compared.totals().values())
    store.engine.report(AccessEvent("reconcile", f"reconcile {said}", rows=rows))


def _write(compared: Compared, form: Shape, args: argparse.Namespace, most: int | None) -> None:
    if args.missing:
        totals = compared.totals()
        count = totals["only-log"] + totals["only-other"]
        output.rows(_MISSING, _missing(compared, most), form, total=count)
    elif args.by == "model":
        output.rows(_MODELS, ((name or "?", *row) for name, row in compared.by_model()), form)
    else:
        output.rows(_HOURS, ((hour, *row) for hour, row in compared.by_hour()), form)


def _missing(compared: Compared, most: int | None) -> Iterator[tuple[object, ...]]:
    for at, call in enumerate(compared.missing()):
        if at == most:
            return
        lacking = "other" if call.verdict == "only-log" else "log"
        yield lacking, call.time_us, call.model or "?", call.place


def _say(compared: Compared, unread: Unread, other: str) -> None:
    totals = compared.totals()
    diagnostics.note(
        f"{totals['both']:,} calls in both, {totals['likely']:,} more likely the same "
        f"(by model, tokens and time), {totals['only-log']:,} only in the log, "
        f"{totals['only-other']:,} only in {other}"
    )
    for name, why in unread.files[:_REASONS]:
        diagnostics.warn(f"{name} was not compared: {why}")
    if unread.pieces:
        reasons = ", ".join(f"{name} {n:,}" for name, n in unread.reasons.most_common(_REASONS))
        diagnostics.warn(f"{unread.pieces:,} pieces of {other} were not compared: {reasons}")
