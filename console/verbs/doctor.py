"""`aircon doctor`: says which protections are really in force."""

from __future__ import annotations

import argparse

from console import diagnostics, output
from console.columns import Column
from console.doctoring import Check, checks
from console.output import Painted, Style

_COLUMNS = (Column("state"), Column("check"), Column("says"))
_STYLES: dict[str, Style] = {"ok": "green", "warn": "yellow", "bad": "red"}


def run(args: argparse.Namespace) -> int:
    """Check; a missing protection is exit code 2."""
    found = list(checks(args))
    if args.json:
        shape = output.Shape("json")
        output.rows(_COLUMNS, ((each.state, each.name, each.says) for each in found), shape)
    else:
        for each in found:
            _say(each)
    bad = any(each.state == "bad" for each in found)
    return diagnostics.CANNOT_JUDGE if bad else diagnostics.OK


def _say(check: Check) -> None:
    output.line(
        Painted(check.state.ljust(4), _STYLES[check.state]), f"  {check.name}: {check.says}"
    )
