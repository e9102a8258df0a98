"""`aircon hold`: places, lists and releases legal holds, and sets in the store what is due."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING

from console import asking, diagnostics, output
from console.columns import Column, moment
from console.durations import days
from console.opening import OpenStore
from console.orders import order
from console.output import Shape
from logstore.errors import AirconError, StoreAway, StoreRefused, UsageError

if TYPE_CHECKING:
    from logstore.formats.custody import Hold, Placed
    from logstore.storage.custodian import HoldOutcome
    from logstore.storage.reader import LogReader

_FOR_ADDING = ("records", "since", "until", "review", "then")
_COLUMNS = (
    Column("hold", "int"),
    Column("placed", "time"),
    Column("by", most=20),
    Column("records", most=32),
    Column("segments", "int"),
    Column("review", "time"),
    Column("then days", "int"),
    Column("state"),
)


def run(args: argparse.Namespace) -> int:
    """Do one of the four actions."""
    if args.action != "add":
        for option in _FOR_ADDING:
            if getattr(args, option) is not None:
                raise UsageError(f"--{option} belongs to `aircon hold add`")
    if (args.number is None) == (args.action == "release"):
        wants = "needs the number of a hold" if args.number is None else "takes no number"
        raise UsageError(f"`aircon hold {args.action}` {wants}")
    actions = {"add": _add, "list": _list, "release": _release, "finish": _finish}
    return actions[args.action](args)


def _add(args: argparse.Namespace) -> int:
    wanted = order(args, *_FOR_ADDING)
    with OpenStore(args, "hold") as store:
        log = store.log()
        return _told(log.custodian.place(_scope(args, store.reader), wanted), args)


def _scope(args: argparse.Namespace, reader: LogReader) -> Placed:
    from logstore.storage.holdscope import between, parse_records

    review = _review(args.review) if args.review else ""
    then_days = days(args.then, "--then") if args.then else 0
    timed = args.since is not None or args.until is not None
    if timed == (args.records is not None):
        raise UsageError(
            "which records? Give either --records, or --since and --until",
            kept="Nothing is held.",
        )
    if not timed:
        return parse_records(args.records, review, then_days)
    period = asking.period(args, time.time_ns() // 1000)
    return between(reader, period, review, then_days)


def _review(said: str) -> str:
    try:
        day = dt.date.fromisoformat(said)
    except ValueError:
        raise UsageError(f"--review {said!r} is not a day", todo="Say 2027-05-01.") from None
    if day < dt.datetime.now(dt.UTC).date():
        raise UsageError(f"--review {said}: that day is over already")
    return day.isoformat()


def _release(args: argparse.Namespace) -> int:
    wanted = order(args, "number")
    with OpenStore(args, "hold") as store:
        log = store.log()
        outcome = log.custodian.release(args.number, wanted)
        with contextlib.suppress(StoreAway):  # who may not put leaves that to the writer
            log.seal()
        code = _told(outcome, args)
        if outcome.pending is None and log.custodian.due:
            diagnostics.note(
                "The store lets go of the objects once the release is sealed: when the writer has"
                " run `aircon seal`, `aircon hold finish` does it."
            )
        return code


def _told(outcome: HoldOutcome, args: argparse.Namespace) -> int:
    """Say what became of it; the exit code."""
    from logstore.storage.holdscope import words

    hold, released = outcome.hold, outcome.hold.released
    facts: list[tuple[str, object]] = [
        ("hold", hold.number),
        ("state", _state(hold)),
        ("records", words(hold.scope)),
        ("by", hold.by),
        ("review", hold.scope.review),
        ("kept until us", hold.keep_until_us)
        if args.json
        else ("kept until", moment(hold.keep_until_us)[:10] if hold.keep_until_us else ""),
        ("objects", outcome.objects),
    ]
    output.facts([each for each in facts if each[1] or args.json], as_json=args.json)
    if outcome.pending is None:
        return diagnostics.OK
    diagnostics.warn(outcome.pending.what)
    if released is None:
        diagnostics.note(
            f"Hold {hold.number} is on the log, and no `aircon retention` removes what it covers;"
            " the store does not hold all of it yet."
        )
    else:
        diagnostics.note(
            f"The release of hold {hold.number} is on the log; the store may still hold some of it."
        )
    diagnostics.note(_next(outcome.pending))
    return diagnostics.exit_code(outcome.pending)


def _next(pending: AirconError) -> str:
    """What a person does about objects that are not held, or released, as the log says."""
    if isinstance(pending, StoreRefused):
        return f"{pending.todo} Then run `aircon hold finish` here, with credentials that may."
    if isinstance(pending, StoreAway):
        return (
            "Whatever writes next tries again, for example `aircon seal`; `aircon hold finish`"
            " does it at once."
        )
    return pending.todo


def _finish(args: argparse.Namespace) -> int:
    with OpenStore(args, "hold") as store:
        objects = store.log().custodian.finish_holds()
    output.facts([("objects", objects)], as_json=args.json)
    return diagnostics.OK


def _list(args: argparse.Namespace) -> int:
    from logstore.storage.guards import are_due
    from logstore.storage.layout import wal_directory

    with OpenStore(args, "hold", needs_keys=False) as store:
        reader = store.reader
        holds = reader.custody().holds
        due = are_due(store.places.store / wal_directory(reader.origin))
    rows = [_row(hold, reader, exact=args.json) for hold in holds]
    output.rows(_COLUMNS, rows, Shape("json" if args.json else "table", wide=args.wide))
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for hold in holds:
        if hold.released is None and "" < hold.scope.review <= today:
            diagnostics.warn(f"hold {hold.number} was to be reviewed on {hold.scope.review}")
    if due:
        diagnostics.warn(
            "some objects may not be held, or released, as the log says: `aircon hold finish`"
        )
    return diagnostics.OK


def _row(hold: Hold, reader: LogReader, *, exact: bool) -> list[object]:
    from logstore.storage.holdscope import words

    segments = sum(hold.covers(pin.first, pin.end) for pin in reader.pins)
    scope = hold.scope
    return [
        hold.number, hold.placed_us if exact else moment(hold.placed_us)[:10], hold.by,
        words(scope), segments, scope.review,
        scope.then_days or None, _state(hold),
    ]  # fmt: skip


def _state(hold: Hold) -> str:
    if hold.released is None:
        return "in force"
    return f"released by record {hold.released}"
