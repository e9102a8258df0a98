"""Writes ``docs/cli.md`` from the command table: ``python -m console.docs > docs/cli.md``.

A test compares the file with what this prints, so the page cannot drift from the program.
"""

from __future__ import annotations

from console import cli, output
from console.commands import COMMANDS
from console.diagnostics import EXIT_CODES


def page() -> str:
    """The whole page, Markdown."""
    codes = "\n".join(f"| {each.code} | {each.name} | {each.meaning} |" for each in EXIT_CODES)
    verbs = "\n".join(
        f"## aircon {row.verb}\n\n```text\n{cli.help_text(row).rstrip()}\n```\n" for row in COMMANDS
    )
    return f"""\
# The command line

Made by `python -m console.docs`; a test compares it with the program. Change the table in
`console/commands.py` instead.

Data goes to standard output, everything said about it to standard error. The bytes on
standard output are the same in a terminal and in a pipe, apart from colour. `--json` prints one
object a line with exact values, in printable ASCII; `--csv` is for spreadsheets (formulas
defused, controls shown as symbols); `--parquet FILE` is exact and typed; tables say below
themselves what they left out. Text from the log never reaches the terminal raw.

## Exit codes

| code | name | meaning |
|---|---|---|
{codes}

## aircon

```text
{cli.overview()}
```

{verbs}"""


if __name__ == "__main__":
    output.script(page())
