"""`aircon retention`: plans and applies the removal of content that has outlived its retention."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import TYPE_CHECKING

from console import diagnostics, output
from console.access import operator
from console.columns import Column, moment
from console.opening import OpenStore
from console.orders import order
from console.output import Shape
from console.presenters.command import word
from console.presenters.figures import plural
from logstore.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logstore.storage.custodian import RemovalOutcome
    from logstore.storage.retention import RetentionPlan

_COLUMNS = (
    Column("object", most=90),
    Column("first", "int"),
    Column("last", "int"),
    Column("bytes", "int"),
    Column("kept until", "time"),
)


def run(args: argparse.Namespace) -> int:
    """Do one of the three actions."""
    if (args.digest is None) == (args.action == "apply"):
        wants = "needs the digest of a plan" if args.digest is None else "takes no digest"
        raise UsageError(f"`aircon retention {args.action}` {wants}")
    if args.action != "apply" and args.reason is not None:
        raise UsageError("--reason belongs to `aircon retention apply`")
    return {"plan": _plan, "apply": _apply, "finish": _finish}[args.action](args)


def _plan(args: argparse.Namespace) -> int:
    from logstore.storage.custodian import planned

    with OpenStore(args, "retention", needs_keys=False) as store:
        reader = store.reader
        until_us = _cutoff(args, store.now_us())
        made = planned(reader, until_us, store.now_us())
        unfinished = reader.custody().unfinished
    if args.json:
        _plan_as_json(made)
    else:
        _plan_as_table(made, args)
    _say_plan(made, args, store.store)
    for each in unfinished:
        diagnostics.warn(
            f"a removal was broken off (record {each.at}): `aircon retention finish` goes on"
        )
    return diagnostics.OK


def _plan_as_table(made: RetentionPlan, args: argparse.Namespace) -> None:
    """Names without the log's folder, in which all lie: the rest is what tells them apart."""
    from logstore.storage.layout import body_folder

    folder = body_folder(made.origin)
    rows = [
        [o.key.removeprefix(folder), o.first, o.last, o.size, _day(o.retain_until_us)]
        for o in made.objects
    ]
    output.rows(_COLUMNS, rows, Shape("table", wide=args.wide))
    if rows:
        diagnostics.note(f"Names are those below {folder}")


def _plan_as_json(made: RetentionPlan) -> None:
    output.record({
        "digest": made.digest,
        "origin": made.origin,
        "before": _day(made.until_us),
        "objects": [
            {"key": o.key, "first": o.first, "last": o.last, "bytes": o.size, "sha256": o.sha256,
             "kept_until_us": o.retain_until_us}
            for o in made.objects
        ],
        "bytes": made.size_bytes,
        "held": list(made.held),
        "later": made.later,
    })  # fmt: skip


def _say_plan(made: RetentionPlan, args: argparse.Namespace, store: str) -> None:
    if made.held:
        diagnostics.note(f"{len(made.held)} more would go but for a legal hold.")
    if made.later:
        diagnostics.note(f"{made.later:,} more fit into no single plan: apply, then plan again.")
    if not made.objects:
        diagnostics.note(f"No retention ended before {_day(made.until_us)}.")
        return
    options = f" --before {word(args.before)}" if args.before else ""
    options += f" --store {word(store)}" if store else ""
    diagnostics.note(
        f"{plural(len(made.objects), 'object')}, {plural(made.size_bytes, 'byte')}. To remove them:"
    )
    diagnostics.note(f"  aircon retention apply {made.digest}{options} --reason ...")


def _apply(args: argparse.Namespace) -> int:
    wanted = order(args, "digest", "before")
    with OpenStore(args, "retention") as store:
        log = store.log()
        done = log.custodian.finish(wanted.by)
        done.append(log.custodian.apply(args.digest, _cutoff(args, store.now_us()), wanted))
        _forget(store, done)
    return _told(done, args)


def _finish(args: argparse.Namespace) -> int:
    with OpenStore(args, "retention") as store:
        done = store.log().custodian.finish(operator())
        _forget(store, done)
    if not done:
        diagnostics.note("No removal was broken off.")
    return _told(done, args)


def _forget(store: OpenStore, done: Sequence[RemovalOutcome]) -> None:
    """What was removed must not live on in the working copy; it is built anew without it."""
    from logstore.query.forgetting import forget

    store.reader.refresh()
    removed = store.reader.removed()
    spans = [removed[key] for each in done for key in each.removed if key in removed]
    forget(store.places.work / "parts", spans)


def _told(done: Sequence[RemovalOutcome], args: argparse.Namespace) -> int:
    kept = [each for outcome in done for each in outcome.kept]
    for outcome in done:
        facts: list[tuple[str, object]] = [
            ("removed", len(outcome.removed)),
            ("kept", len(outcome.kept)),
            ("record", outcome.removal.at),
            ("digest", outcome.removal.fields.digest),
        ]
        output.facts(facts, as_json=args.json)
    for key, why in kept:
        diagnostics.warn(f"{key} is still there: {why}")
    if kept:
        diagnostics.note("The log says so; the next `aircon retention plan` has them again.")
    return diagnostics.STORE_AWAY if kept else diagnostics.OK


def _cutoff(args: argparse.Namespace, now_us: int) -> int:
    from logstore.storage.logfile import DAY_US
    from logstore.storage.retention import day_before

    if not args.before:
        return day_before(now_us)
    try:
        day = dt.date.fromisoformat(args.before)
    except ValueError:
        raise UsageError(f"--before {args.before!r} is not a day", todo="Say 2026-11-01.") from None
    return (day - dt.date(1970, 1, 1)).days * DAY_US


def _day(time_us: int) -> str:
    return moment(time_us)[:10]
