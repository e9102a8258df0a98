"""The row of `aircon token` in the command table; see `console.commands`."""

from __future__ import annotations

from console.arguments import JSON, PASSPHRASE, STORE, Argument, Command, value

TOKEN = Command(
    "token",
    "make, list and revoke the tokens that applications send records with",
    """
The token is printed once, alone on standard output; the file keeps its SHA-256 only, so it can
not be shown again. Adding and revoking are records on the log (who, name, id, source, scopes,
expiry), so they need the passphrase, and where the log can not be written nothing is changed.
A running `aircon serve` takes changes of its --token-file up in seconds, at once on SIGHUP.

  export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20$(aircon token add chat-app)"
  aircon token add gateway-2026 --source gateway > gateway.token
  aircon token add trial --expires 14d --records-per-second 50
  aircon token add prometheus --scope metrics --expires never
  aircon token list
  aircon token revoke gateway-2026""",
    (
        Argument(
            ("action",),
            "add, list or revoke",
            {"choices": ("add", "list", "revoke"), "metavar": "ACTION"},
        ),
        Argument(
            ("name",),
            "add: a new name, never used again; revoke: a name or id",
            {"nargs": "?", "metavar": "NAME"},
        ),
        value(
            "--source",
            metavar="WORD",
            help="add: records come from live/WORD (else NAME)",
        ),
        value(
            "--scope",
            metavar="LIST",
            help="add: write, metrics, or write,metrics (write)",
        ),
        value(
            "--expires",
            metavar="WHEN",
            help="add: 90d, a date (that day included), or never (365d)",
        ),
        value(
            "--records-per-second",
            metavar="N",
            type=int,
            help="add: its own limit (none)",
        ),
        value(
            "--bytes-per-second",
            metavar="N",
            type=int,
            help="add: its own limit (none)",
        ),
        value(
            "--token-file",
            metavar="FILE",
            completes="file",
            help="the file; else STORE.tokens beside the store",
        ),
        *STORE,
        *PASSPHRASE,
        JSON,
    ),
    "Keep evidence",
    "token",
)
"""`aircon token`."""
