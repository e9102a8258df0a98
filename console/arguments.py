"""What a row of the command table is made of, and the arguments that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Completes = Literal["nothing", "file", "directory"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One option or positional argument of a command.

    Attributes:
        names: ``("--limit", "-n")``, or one bare name for a positional.
        help: one line for ``--help``.
        options: further keyword arguments of `argparse.ArgumentParser.add_argument`.
        completes: what a shell offers after it.
    """

    names: tuple[str, ...]
    help: str
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    completes: Completes = "nothing"

    @property
    def is_option(self) -> bool:
        """Whether it is given by name."""
        return self.names[0].startswith("-")

    @property
    def takes_value(self) -> bool:
        """Whether a word follows the option."""
        return self.is_option and self.options.get("action") in (None, "append")


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the command table.

    Attributes:
        verb: the word after ``aircon``.
        summary: one line for ``aircon --help``.
        teach: what ``--help`` says below the options: how it works, with examples.
        arguments: in the order of ``--help``.
        group: heading it stands under in ``aircon --help``.
        module: module of `console.verbs` whose ``run(args) -> int`` does it.
    """

    verb: str
    summary: str
    teach: str
    arguments: tuple[Argument, ...]
    group: str
    module: str


def flag(*names: str, help: str) -> Argument:  # noqa: A002 - argparse's keyword, passed on
    """An option without a value."""
    return Argument(names, help, {"action": "store_true"})


def value(
    *names: str,
    help: str,  # noqa: A002 - argparse's keyword, passed on
    metavar: str = "TEXT",
    completes: Completes = "nothing",
    **options: Any,
) -> Argument:
    """An option with one value."""
    return Argument(names, help, {"metavar": metavar, **options}, completes)


STORE = (
    value(
        "--store",
        metavar="DIR",
        completes="directory",
        help="the store; else $AIRCON_STORE, else ./evidence",
    ),
    value(
        "--keys",
        metavar="DIR",
        completes="directory",
        help="its key store; else STORE.keys beside it",
    ),
    value(
        "--policy",
        metavar="FILE",
        completes="file",
        help="whom to trust (tlog-policy); else STORE.policy beside it",
    ),
    value("--log", metavar="ORIGIN", help="which log, where the store holds several"),
)
"""Where the evidence is."""

PASSPHRASE = (
    value(
        "--passphrase-fd",
        metavar="N",
        type=int,
        help="read the passphrase from this open file descriptor",
    ),
    value(
        "--passphrase-file",
        metavar="FILE",
        completes="file",
        help="read the passphrase from the first line of this file",
    ),
    flag(
        "--insecure-no-passphrase",
        help="the key store has no passphrase (demonstrations only)",
    ),
)
"""How the key store is opened; without any of these $AIRCON_PASSPHRASE, else a prompt."""

FETCH_FROM = value(
    "--fetch-from",
    metavar="LOCATION",
    action="append",
    default=[],
    help="also seal content that records only point at, from below this place:"
    " file:///dir/, s3://bucket/prefix/ or https://host/path/; may be repeated",
)
"""Where content may be fetched from that a record only points at."""

CLEAR_ONLY = flag(
    "--clear-only",
    help="open no content and no key: clear fields only, needs no passphrase",
)

REASON = value(
    "--reason",
    help="why you look: kept in the access record beside who and what",
)

JSON = flag("--json", help="JSON, one object a line, exact values")

WIDE = flag("--wide", help="tables show every cell whole")

ROWS = (
    JSON,
    flag("--csv", help="CSV for spreadsheets; formulas are defused"),
    value(
        "--parquet",
        metavar="FILE",
        completes="file",
        help="write a new Parquet file, exact values",
    ),
    WIDE,
)
"""Formats of output that is rows."""

FILTERS = (
    value(
        "--field",
        choices=("any", "input", "output", "system", "tool"),
        metavar="WHERE",
        help="look only in: input, output, system, tool (default any)",
    ),
    flag("--regex", help="TEXT is a pattern (RE2)"),
    flag("--exact", help="letter case matters"),
    value("--user", help="a person, as the source named them; * matches any run"),
    value("--session", help="session id or token"),
    value("--conversation", help="conversation id"),
    value("--model", help="requested or answering model; * matches any run"),
    value("--model-version", help="deployed model version"),
    value("--application", help="application (service name)"),
    value("--environment", help="prod, staging ..."),
    value("--operation", help="chat, embeddings, execute_tool ..."),
    value("--source", help="importer or sender"),
    value("--kind", help="record kind, e.g. span or access.query; else interactions; * for all"),
    flag("--errors", help="only what failed"),
    value("--since", metavar="WHEN", help="2026-11-20, 2026-11-20T10:00Z, or 2h ago as 2h"),
    value("--until", metavar="WHEN", help="likewise; a bare date includes that day"),
)
"""Which records."""
