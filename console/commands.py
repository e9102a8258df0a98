"""The command table: every verb of `aircon`, in the order `aircon --help` shows them.

The parser, shell completion, ``docs/cli.md`` and the tests are all made from this table.
"""

from __future__ import annotations

from console.arguments import (
    CLEAR_ONLY,
    FETCH_FROM,
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
from console.tokencommand import TOKEN
from console.witnesscommand import WITNESS

_KEEP = "Keep evidence"
_ASK = "Ask it"
_TRUST = "Trust it"
_HELP = "Find your way"

_RECORD = Argument(
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

COMMANDS: tuple[Command, ...] = (
    Command(
        "init",
        "make a store, its key store and the policy that auditors trust",
        """
Makes three things beside each other: evidence/ (the store), evidence.keys/ (secret: the
signing key and everyone's content keys) and evidence.policy (give it to auditors: it says
which signature to believe). Keep a copy of the policy where the store's owner cannot
change it.

  aircon init                            in ./evidence, asks for a passphrase
  aircon init /srv/ai/evidence --origin example.org/chat
  aircon init --passphrase-file secret.txt
  aircon init demo --insecure-no-passphrase""",
        (
            Argument(
                ("directory",),
                "the new store; else $AIRCON_STORE, else ./evidence",
                {"nargs": "?", "metavar": "DIR"},
                "directory",
            ),
            value(
                "--origin",
                metavar="NAME",
                help="the log's name, a URL without scheme; else HOST/DIR",
            ),
            *STORE[1:3],
            *PASSPHRASE,
            JSON,
        ),
        _KEEP,
        "init",
    ),
    Command(
        "import",
        "take in AI logs: OTLP, LiteLLM, Bedrock, OpenAI, Anthropic, APIM, Langfuse",
        """
The format is recognised by content; gzip and zstd are unpacked on the way. Every line is
kept with its own bytes as raw evidence. Lines that cannot be read are counted, named and
kept in a rejects file, and the exit code is 6; the rest is stored. A file that was
imported before adds nothing, unless --again; standard input is taken anew each time.

  aircon import export.jsonl.gz
  aircon import logs/ more/traces.json
  kubectl logs gateway | aircon import -
  aircon import spans.jsonl --fetch-from s3://ai-content/prompts/""",
        (
            Argument(
                ("paths",),
                "files, directories, or - for standard input",
                {"nargs": "+", "metavar": "FILE|DIR|-"},
                "file",
            ),
            flag("--again", help="take in even what was imported before"),
            value(
                "--rejects",
                metavar="DIR",
                completes="directory",
                help="where refused lines are kept; else STORE.rejects beside the store",
            ),
            FETCH_FROM,
            *_OPEN,
            JSON,
        ),
        _KEEP,
        "import_files",
    ),
    Command(
        "serve",
        "take records over HTTP: OTLP, LiteLLM, Langfuse, MLflow, our own client",
        """
An endpoint that applications send to. A request is answered with success only when every
record of it is on disk, encrypted and signed; whatever goes wrong here is answered so that
senders keep their records and come back. On loopback it takes plain HTTP; elsewhere it needs
TLS and tokens (see `aircon token`).

  aircon serve                                     on 127.0.0.1:4318

  aircon serve --listen 0.0.0.0:4318 --tls-cert c.pem --tls-key k.pem --token-file t

Then point an application at it, here with OpenTelemetry's own variables:

  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf

SIGTERM ends it after the requests under way; SIGHUP reads tokens and certificates again.
GET /healthz, /readyz and /metrics say how it is.""",
        (
            value(
                "--listen", metavar="HOST:PORT", default="127.0.0.1:4318",
                help="address and port (127.0.0.1:4318)",
            ),
            value(
                "--token-file", metavar="FILE", completes="file",
                help="who may send: tokens made by `aircon token add`",
            ),
            value("--tls-cert", metavar="FILE", completes="file", help="certificate chain, PEM"),
            value("--tls-key", metavar="FILE", completes="file", help="its private key, PEM"),
            value(
                "--tls-client-ca", metavar="FILE", completes="file",
                help="take only clients with a certificate signed by these",
            ),
            value(
                "--heartbeat", metavar="S", type=float, default=60.0,
                help="seconds between heartbeat records (60)",
            ),
            value(
                "--seal-age", metavar="S", type=float, default=3600.0,
                help="seal records that waited so long, seconds (3600)",
            ),
            value(
                "--seal-size", metavar="MIB", type=int, default=64,
                help="seal when so much is unsealed, MiB (64)",
            ),
            flag("--seal-on-stop", help="seal everything before it ends"),
            value(
                "--max-body", metavar="MIB", type=int, default=32,
                help="largest request as sent, MiB (32)",
            ),
            value(
                "--max-pending", metavar="MIB", type=int, default=192,
                help="most bytes under way before senders are told to wait, MiB (192)",
            ),
            FETCH_FROM,
            value(
                "--stop-file", metavar="FILE", completes="file",
                help="while it exists, clients refuse to call models; its first line says why",
            ),
            value(
                "--log-file", metavar="FILE", completes="file",
                help="write events here as JSON lines; else to stderr",
            ),
            flag("--log-requests", help="also write a line for each request taken"),
            *_OPEN,
        ),
        _KEEP,
        "serve",
    ),
    TOKEN,
    Command(
        "seal",
        "move unsealed records into immutable segments now",
        """
Sealing happens by itself as the log grows; this does it now, for example before handing
the store over. Sealed files are write-protected and pinned on the log by size and hash.

  aircon seal""",
        (*_OPEN, JSON),
        _KEEP,
        "seal",
    ),
    Command(
        "status",
        "how many records, how far sealed and signed, where everything lies",
        """
Reads only signatures and seals; opens no content and needs no passphrase.

  aircon status
  aircon status --json | jq .sealed""",
        (*STORE, JSON),
        _KEEP,
        "status",
    ),
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
        _ASK,
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
        _ASK,
        "tail",
    ),
    Command(
        "show",
        "show one record whole: clear fields, conversation, tool calls, hidden text",
        f"""
Controls, bidi characters and hidden Unicode tags in the text are shown as symbols and
spelled out, never sent to the terminal.
{_RECORDED}

  aircon show 1234
  aircon show 019aa0c2-7f3e-7d1c-9d60-5a4be9f2b1aa --conversation
  aircon show 1234 --json --raw | jq -r .raw | base64 -d""",
        (
            _RECORD,
            flag("--conversation", help="with every record of the same conversation"),
            flag("--raw", help="with the source's own bytes (base64 in JSON)"),
            *_READ,
            JSON,
        ),
        _ASK,
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
        _ASK,
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
        _ASK,
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
        _ASK,
        "console",
    ),
    Command(
        "verify",
        "check every file, hash, signature and column against the policy",
        """
Exit code 0: verified to the policy. 1: tampering found; the report names file and index.
2: cannot judge, for example because nothing is signed by a key of the policy, or because
records are signed and not witnessed though the policy asks for a quorum (--witnessed leaves
those out of the verdict). The report also says what no verification can prove.
--quick checks whole-file hashes, seals and signatures, and leaves the recomputation of every
leaf and column out.
--content needs the passphrase and checks contents against their commitments as well.

  aircon verify
  aircon verify --quick --json
  aircon verify --content --passphrase-file secret.txt""",
        (
            flag("--quick", help="whole files and signatures only"),
            flag("--witnessed", help="claim only what the policy's quorum of witnesses cosigned"),
            flag("--content", help="also open every content and check its commitment"),
            value("--workers", metavar="N", type=int, help="processes (default: one per core)"),
            *_OPEN,
            JSON,
        ),
        _TRUST,
        "verify",
    ),
    Command(
        "prove",
        "write a proof that one record is in the log, for a stranger to check",
        """
The file is a C2SP tlog-proof that carries the record's clear part and its path to a signed
checkpoint; making it opens no content and needs no passphrase. --disclose FILE also writes the
content with its nonce, so that it can be checked without any key: of this one record, and
whoever gets that file can read it.

  aircon prove 1234 -o record-1234.tlog-proof
  aircon prove 1234 -o r.tlog-proof --disclose r.content --reason "court order 5" """,
        (
            _RECORD,
            value(
                "--output", "-o", metavar="FILE", completes="file", required=True,
                help="the new proof file",
            ),
            value(
                "--disclose", metavar="FILE", completes="file",
                help="also write the content here (needs the passphrase; is recorded)",
            ),
            *_OPEN,
            REASON,
            JSON,
        ),
        _TRUST,
        "prove",
    ),
    Command(
        "check",
        "check a proof file offline, without any store",
        """
Needs only the proof and whom to trust: a policy file or a verifier key, which must come
from somewhere you trust, not from whoever gave you the proof.
Exit code 0: the record is in the log that the policy names. 1: it is not, or the file was
altered. 2: the proof is signed by nobody whom the policy knows.

  aircon check r.tlog-proof --policy evidence.policy
  aircon check r.tlog-proof --disclosure r.content --policy evidence.policy
  aircon check r.tlog-proof --vkey "example.org/chat+1a2b3c4d+AbCd..." --json""",
        (
            Argument(("file",), "the proof file", {"metavar": "FILE"}, "file"),
            STORE[2],
            value("--vkey", metavar="KEY", help="a verifier key instead of a policy"),
            value(
                "--disclosure", metavar="FILE", completes="file",
                help="content that was disclosed with the proof",
            ),
            JSON,
        ),
        _TRUST,
        "check",
    ),
    WITNESS,
    Command(
        "doctor",
        "say which protections are really in force on this machine",
        """
Checks immutability of sealed files, how the key store is protected, encryption of the
working copy, the file system, clock, package versions and import names. Nothing is
repaired silently.

  aircon doctor
  aircon doctor --json | jq 'select(.state != "ok")'""",
        (*STORE, JSON),
        _TRUST,
        "doctor",
    ),
    Command(
        "demo",
        "a throw-away store with sample logs: import, seal, verify, ask, prove, explore",
        """
Makes ./demo-store anew each time, without a passphrase, imports sample-logs/, seals,
verifies, answers three forensic questions with the SQL shown, proves one record and checks
it offline. In a terminal it then opens the explorer.

  aircon demo
  aircon demo --no-console""",
        (
            flag("--no-console", help="end with the summary"),
            value(
                "--directory", metavar="DIR", completes="directory",
                help="the throw-away store (default ./demo-store)",
            ),
            value(
                "--logs", metavar="DIR", completes="directory",
                help="what to import (default: the sample-logs that come with aircon)",
            ),
        ),
        _HELP,
        "demo",
    ),
    Command(
        "sample",
        "write believable logs of a fictional company, any number, from a seed",
        """
The same seed writes the same bytes. What is hidden in the logs is written to a label file,
apart from the logs.

  aircon sample logs/
  aircon sample big/ --records 1000000 --seed 7 --labels truth.jsonl""",
        (
            Argument(("directory",), "a new directory", {"metavar": "DIR"}, "directory"),
            value("--records", metavar="N", type=int, default=5_000, help="interactions (5000)"),
            value("--seed", metavar="S", type=int, default=1, help="seed (1)"),
            value(
                "--labels", metavar="FILE", completes="file",
                help="the label file (default DIR.labels.jsonl, beside the logs)",
            ),
            JSON,
        ),
        _HELP,
        "sample",
    ),
    Command(
        "completion",
        "print shell completion for bash, zsh or fish",
        """
  source <(aircon completion bash)                                   in ~/.bashrc
  aircon completion zsh > "${fpath[1]}/_aircon"
  aircon completion fish > ~/.config/fish/completions/aircon.fish""",
        (
            Argument(
                ("shell",), "bash, zsh or fish",
                {"choices": ("bash", "zsh", "fish"), "metavar": "SHELL"},
            ),
        ),
        _HELP,
        "completion",
    ),
)  # fmt: skip
"""Every command."""


def command(verb: str) -> Command | None:
    """The row of a verb."""
    return next((row for row in COMMANDS if row.verb == verb), None)
