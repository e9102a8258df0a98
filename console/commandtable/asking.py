"""Rows of the command table: questions and reading; see `console.commands`."""

from __future__ import annotations

from console.arguments import (
    CLEAR_ONLY,
    FILTERS,
    JSON,
    PASSPHRASE,
    REASON,
    ROWS,
    STORE,
    Argument,
    Command,
    flag,
    value,
)

_GROUP = "Ask it"
RECORD = Argument(
    ("record",),
    "its index, or its id (UUID)",
    {"metavar": "ID"},
)
_OPEN = (*STORE, *PASSPHRASE)
_READ = (*STORE, *PASSPHRASE, CLEAR_ONLY, REASON)

_RECORDED = """
What you read is itself recorded: an access record says who ($AIRCON_OPERATOR, else
your login), what and why (--reason). With --clear-only no key is opened, so nothing
can be signed and nothing is recorded; the clear fields are readable to whoever holds
the files in any case."""

_SQL_EXAMPLES = """

  aircon sql "SELECT response_model, count(*) FROM interactions GROUP BY 1"
  aircon sql --csv "FROM users ORDER BY interactions DESC LIMIT 20"
  aircon sql - < question.sql --parquet answer.parquet"""

ASKING: tuple[Command, ...] = (
    Command(
        "search",
        "find interactions by text, person, session, model or time",
        f"""
TEXT is a substring, whatever its case; all filters given must hold. Rows are
in order of event time, newest last.
{_RECORDED}

  aircon search "refund policy" --since 2d
  aircon search --user maria --model "gpt-5*" --json
  aircon search --regex "https?://[^ ]+/collect" --field output
  aircon search --clear-only --model-version 2026-11-01 --errors
  aircon search invoice --parquet invoice.parquet --reason "case 17" """,
        (
            Argument(("text",), "text to find", {"nargs": "?", "metavar": "TEXT", "default": ""}),
            *FILTERS,
            value("--limit", "-n", metavar="N", type=int, help="at most N rows (100; 0: all)"),
            *_READ,
            *ROWS,
        ),
        _GROUP,
        "search",
    ),
    Command(
        "tail",
        "show the newest records; with -f, also those that come",
        f"""
Filters as in `aircon search`. Newest means newest event; with -f, what comes stands at the end as
it comes.
{_RECORDED}

  aircon tail
  aircon tail -n 50 --errors
  aircon tail -f --model gpt-5 --json""",
        (
            flag("--follow", "-f", help="wait for more; Ctrl-C ends it"),
            value("--limit", "-n", metavar="N", type=int, help="start with the last N (10)"),
            *FILTERS,
            *_READ,
            *ROWS,
        ),
        _GROUP,
        "tail",
    ),
    Command(
        "show",
        "show one record whole: clear fields, conversation, tool calls, hidden text",
        f"""
Controls, bidi characters and hidden Unicode tags in the text are shown as symbols and
spelled out, never sent to the terminal.
--alone makes no working copy, and of a bucket fetches little more than the record: what other
records say of it (the same call, whose it is) is then not looked for.
{_RECORDED}

  aircon show 1234
  aircon show 019aa0c2-7f3e-7d1c-9d60-5a4be9f2b1aa --conversation
  aircon show 1234 --json --raw | jq -r .raw | base64 -d""",
        (
            RECORD,
            flag("--conversation", help="with every record of the same conversation"),
            flag("--alone", help="from the evidence at once, without what stands around it"),
            flag("--raw", help="with the source's own bytes (base64 in JSON)"),
            *_READ,
            JSON,
        ),
        _GROUP,
        "show",
    ),
    Command(
        "sql",
        "ask in SQL: interactions, messages, tool_calls, sessions, users, spans ...",
        """
Exactly one SELECT, EXPLAIN, DESCRIBE or SHOW; DuckDB's dialect; no files, no network.
`aircon sql "SHOW TABLES"` lists the views, `DESCRIBE interactions` their columns.
The result says up to which record it was verified.
"""
        + _RECORDED
        + _SQL_EXAMPLES,
        (
            Argument(("statement",), "the statement, or - for standard input", {"metavar": "SQL"}),
            value("--limit", "-n", metavar="N", type=int, help="at most N rows (1000; 0: all)"),
            value("--timeout", metavar="S", type=float, help="stop after S seconds (60)"),
            *_READ,
            *ROWS,
        ),
        _GROUP,
        "sql",
    ),
    Command(
        "reconcile",
        "count the calls that one source has and another lacks",
        """
Compares the log with a second source, for example a gateway's log or an export of the provider, in
any format that `aircon import` reads; nothing of it is stored. A call is in both when a response
id, call or request id, or trace and span id is the same. What is left is paired by model, token
counts and a time within two seconds, and counted apart as likely. Records of one call count once.
Exit code 0: neither side lacks a call. 7: one does. 2: part of the file could not be compared.
The comparison is itself recorded: who, with what, and why (--reason).

  aircon reconcile --against gateway.jsonl --since 2d
  aircon reconcile --against exports/ --source live/app --by model
  aircon reconcile --against gateway.jsonl --missing --csv > missing.csv
  aircon reconcile --between live/gateway live/app""",
        (
            value(
                "--against", metavar="FILE|DIR", completes="file",
                help="the other source; - for standard input",
            ),
            value(
                "--between", metavar="SOURCE", nargs=2,
                help="compare two sources of this log instead",
            ),
            value("--source", help="of the log, only this source and those below it"),
            value("--since", metavar="WHEN", help="calls from here on: 2026-11-20, 2h ago as 2h"),
            value("--until", metavar="WHEN", help="likewise; a bare date includes that day"),
            value(
                "--by", choices=("hour", "model"), metavar="WHAT",
                help="count per hour or per model (hour)",
            ),
            flag("--missing", help="list the calls that one side lacks, instead of counting"),
            value("--limit", "-n", metavar="N", type=int, help="list at most N (1000; 0: all)"),
            *_OPEN,
            REASON,
            *ROWS,
        ),
        _GROUP,
        "reconcile",
    ),
    Command(
        "console",
        "open the explorer: filter, histogram, table, conversation, live tail",
        f"""
Needs a terminal. Keyboard first; F1 or ? for help inside. Where there is no terminal use
`aircon search`, `tail`, `show` and `sql`, which do the same.
{_RECORDED}

  aircon console
  aircon console --store /srv/ai/evidence""",
        (*_READ,),
        _GROUP,
        "console",
    ),
)  # fmt: skip
"""Rows of the commands that ask."""
