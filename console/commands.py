"""The command table: every verb of `aircon`, in the order `aircon --help` shows them.

The parser, shell completion, ``docs/cli.md`` and the tests are all made from this table.
"""

from __future__ import annotations

from console.arguments import Command
from console.commandtable.asking import ASKING
from console.commandtable.finding import FINDING
from console.commandtable.keeping import KEEPING
from console.commandtable.trusting import TRUSTING

COMMANDS: tuple[Command, ...] = (*KEEPING, *ASKING, *TRUSTING, *FINDING)
"""Every command."""


def command(verb: str) -> Command | None:
    """The row of a verb."""
    return next((row for row in COMMANDS if row.verb == verb), None)
