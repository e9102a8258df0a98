"""The row of `aircon lake` in the command table; see `console.commands`."""

from __future__ import annotations

from console.arguments import JSON, STORE, Argument, Command, value

LAKE = Command(
    "lake",
    "register sealed segments in an Apache Iceberg table, for Spark, Trino, Athena, DuckDB",
    """
Past one machine, other engines query the clear columns. No file is copied: the table's metadata
names the sealed index objects where they lie, after each was hashed against what the log pins.
What is in the table already is left alone, so run it again whenever segments were sealed. Content
stays encrypted and is never registered; unsealed records are not in the table yet.

The table is a way to ask and no evidence: engines check no hashes, `aircon verify` does.

The catalog is one of pyiceberg's configuration (~/.pyiceberg.yaml, PYICEBERG_CATALOG__NAME__URI
...), where passwords belong; --property says more, or other, than is written there. Needs
`pip install 'aircon-console[lake]'`. Exit code 1: some segment is not what was sealed, and was not
registered; the others were.

  aircon lake register --catalog prod --table security.ai_records
  aircon lake register --store s3://evidence/aircon --catalog glue --property type=glue
  aircon lake register --property uri=sqlite:////srv/c.db --property warehouse=file:///srv/w""",
    (
        Argument(("action",), "register", {"choices": ("register",), "metavar": "ACTION"}),
        value(
            "--catalog", metavar="NAME", default="default",
            help="the catalog in pyiceberg's configuration (default)",
        ),
        value(
            "--table", metavar="NAMESPACE.TABLE", default="aircon.records",
            help="the table, made where there is none (aircon.records)",
        ),
        value(
            "--property", metavar="NAME=VALUE", action="append", default=[],
            help="a property of the catalog; may be repeated",
        ),
        *STORE,
        JSON,
    ),
    "Keep evidence",
    "lake",
)  # fmt: skip
"""The row of `aircon lake`."""
