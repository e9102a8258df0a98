"""Rows of the command table: making a store and taking evidence in; see `console.commands`."""

from __future__ import annotations

from console.arguments import (
    FETCH_FROM,
    JSON,
    PASSPHRASE,
    STORE,
    Argument,
    Command,
    flag,
    value,
)
from console.commandtable.custody import HOLD, RETENTION
from console.commandtable.lake import LAKE
from console.commandtable.token import TOKEN

_GROUP = "Keep evidence"
_OPEN = (*STORE, *PASSPHRASE)

KEEPING: tuple[Command, ...] = (
    Command(
        "init",
        "make a store, its key store and the policy that auditors trust",
        """
Makes three things beside each other: evidence/ (the store), evidence.keys/ (secret: the
signing key and everyone's content keys) and evidence.policy (give it to auditors: it says
which signature to believe). Keep a copy of the policy where the store's owner cannot
change it.

On S3, sealed segments lie in a bucket with Object Lock, each locked for its retention; what
is not sealed yet, the keys and the policy lie on this machine, below ~/.local/share/aircon.

  aircon init                            in ./evidence, asks for a passphrase
  aircon init /srv/ai/evidence --origin example.org/chat
  aircon init --passphrase-file secret.txt
  aircon init demo --insecure-no-passphrase
  aircon init --kms-key alias/aircon --kms-region eu-central-1
  aircon init s3://evidence/aircon --retain-index 10y --retain-body 13m --mode compliance""",
        (
            Argument(
                ("directory",),
                "the new store; else $AIRCON_STORE, else ./evidence",
                {"nargs": "?", "metavar": "DIR|s3://BUCKET/PREFIX"},
                "directory",
            ),
            value(
                "--retain-index", metavar="SPAN", default="3653d",
                help="keep clear columns and proofs at least so long, as 10y (10y)",
            ),
            value(
                "--retain-body", metavar="SPAN", default="396d",
                help="keep content at least so long, as 13m (13m)",
            ),
            value(
                "--mode", choices=("compliance", "governance"),
                help="S3 only: compliance binds everybody (default), governance spares whoever"
                " may bypass it",
            ),
            flag(
                "--short-retention",
                help="take less than the six months that the EU AI Act asks of high-risk systems",
            ),
            value(
                "--origin",
                metavar="NAME",
                help="the log's name, a URL without scheme; else HOST/DIR",
            ),
            value(
                "--kms-key", metavar="KEY",
                help="a key of AWS KMS (ARN or alias) opens the key store, instead of a passphrase",
            ),
            value(
                "--sse-kms-key", metavar="KEY",
                help="S3 only: the server encrypts objects under this key of AWS KMS (SSE-KMS)",
            ),
            value("--kms-region", metavar="REGION", help="where it is, if its name does not say"),
            *STORE[1:3],
            *PASSPHRASE,
            JSON,
        ),
        _GROUP,
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
        _GROUP,
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
                "--decoders", metavar="N", type=int,
                help="processes that decode; 0: none (as many as there are processors, at most 3)",
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
        _GROUP,
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
        _GROUP,
        "seal",
    ),
    HOLD,
    RETENTION,
    LAKE,
    Command(
        "status",
        "how many records, how far sealed and signed, where everything lies",
        """
Reads only signatures and seals; opens no content and needs no passphrase.

  aircon status
  aircon status --json | jq .sealed""",
        (*STORE, JSON),
        _GROUP,
        "status",
    ),
)  # fmt: skip
"""Rows of the commands that keep evidence."""
