"""The command line: finds the verb in the table, parses its arguments, imports it, runs it.

Nothing heavy is imported here or in anything imported here: ``aircon --help`` must be quick, and
``aircon VERB --help`` must load no library that only the verb itself needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Never, cast

from console import diagnostics, output
from console.arguments import Argument, Command
from console.commands import COMMANDS, command
from logstore.errors import UsageError

PROGRAM = "aircon"
_WIDTH = 80
_INTRO = """\
aircon keeps a tamper-evident log of what AI systems were asked and what they answered.

usage: aircon COMMAND [arguments]
       aircon COMMAND --help     teaches one command, with examples
"""
_OUTRO = """\
First steps:  aircon demo
              aircon init && aircon import FILE && aircon console

Environment:  AIRCON_STORE  AIRCON_PASSPHRASE  AIRCON_OPERATOR  NO_COLOR  AIRCON_DEBUG=1
Exit codes:   """


def run(argv: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code.

    Raises:
        UsageError: they say nothing that aircon does.
        AirconError: as the command raises it.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        return _help(argv[1:])
    if argv[0] in ("-V", "--version", "version"):
        output.line(f"{PROGRAM} {version()}")
        return diagnostics.OK
    row = command(argv[0])
    if row is None:
        raise UsageError(
            f"there is no command {argv[0]!r}",
            todo=_meant(argv[0], [each.verb for each in COMMANDS]) or "See `aircon --help`.",
        )
    arguments = parser(row).parse_args(argv[1:])
    if arguments.help:
        output.line(help_text(row).rstrip("\n"))
        return diagnostics.OK
    import importlib

    verb = importlib.import_module(f"console.verbs.{row.module}")
    return cast("int", verb.run(arguments))


def parser(row: Command) -> argparse.ArgumentParser:
    """The parser of one command."""
    made = _Parser(
        prog=f"{PROGRAM} {row.verb}",
        usage=_usage(row),
        description=_folded(row.summary[0].upper() + row.summary[1:] + "."),
        epilog=_folded(row.teach.strip("\n").rstrip()),
        formatter_class=_formatter,
        add_help=False,
        allow_abbrev=False,
    )
    made.positional = [_name(each) for each in row.arguments if not each.is_option]
    for each in row.arguments:
        made.add_argument(*each.names, help=each.help.replace("%", "%%"), **each.options)
    made.add_argument("--help", "-h", action=_Help, nargs=0, default=False, help="this text")
    return made


def help_text(row: Command) -> str:
    """What ``aircon VERB --help`` prints."""
    return parser(row).format_help()


def overview() -> str:
    """What ``aircon --help`` prints."""
    lines = [_INTRO]
    widest = max(len(row.verb) for row in COMMANDS)
    for group in dict.fromkeys(row.group for row in COMMANDS):
        lines.append(f"{group}:")
        lines += [
            f"  {row.verb.ljust(widest)}  {row.summary}" for row in COMMANDS if row.group == group
        ]
        lines.append("")
    codes = [f"{each.code} {each.name}" for each in diagnostics.EXIT_CODES]
    return (
        "\n".join(lines)
        + "\n"
        + _OUTRO
        + ("\n" + " " * 14).join(
            ", ".join(codes[start : start + 5]) for start in range(0, len(codes), 5)
        )
    )


def version() -> str:
    """The installed version."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as of

    try:
        return of("aircon-console")
    except PackageNotFoundError:
        return "(not installed: run from a checkout)"


class _Help(argparse.Action):
    """Sets ``help`` and drops what is required, so that ``VERB --help`` always works."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002 - argparse calls with it; the option has no value
        option_string: str | None = None,  # noqa: ARG002 - argparse calls with it
    ) -> None:
        namespace.help = True
        for action in parser._actions:  # noqa: SLF001 - argparse lists them nowhere in public
            action.required = False


class _Parser(argparse.ArgumentParser):
    """An argparse parser whose mistakes are `UsageError`s with a suggestion."""

    positional: list[str]

    def error(self, message: str) -> Never:
        known = [name for action in self._actions for name in action.option_strings]
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0].split("=")[0]
        meant = _meant(unknown, known) if message.startswith("unrecognized") else ""
        raise UsageError(
            f"{self.prog.removeprefix(PROGRAM + chr(32))}: {message}",
            todo=meant or f"See `{self.prog} --help`.",
        )


def _help(rest: Sequence[str]) -> int:
    row = command(rest[0]) if rest else None
    output.line(overview() if row is None else help_text(row).rstrip("\n"))
    return diagnostics.OK


def _usage(row: Command) -> str:
    names = [_name(each) for each in row.arguments if not each.is_option]
    required = [
        f"{each.names[-1]} {each.options['metavar']}"
        for each in row.arguments
        if each.options.get("required")
    ]
    return " ".join([PROGRAM, row.verb, *names, *required, "[options]"])


def _name(argument: Argument) -> str:
    name = str(argument.options.get("metavar", argument.names[0]))
    many = argument.options.get("nargs")
    return {"?": f"[{name}]", "+": f"{name} ..."}.get(str(many), name)


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, width=_WIDTH, max_help_position=30)


def _folded(text: str) -> str:
    """Paragraphs that are too wide for a terminal of the usual width, folded; examples stay."""
    return "\n\n".join(map(_folded_paragraph, text.split("\n\n")))


def _folded_paragraph(text: str) -> str:
    lines = text.split("\n")
    if max(map(len, lines)) <= _WIDTH or any(line.startswith(" ") for line in lines):
        return text
    import textwrap

    return textwrap.fill(" ".join(lines), _WIDTH, break_long_words=False, break_on_hyphens=False)


def _meant(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean `{close[0]}`?" if close else ""
