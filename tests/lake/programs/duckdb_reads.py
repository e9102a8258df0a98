"""Ask DuckDB's own Iceberg reader: SQL over the view `records` of a table's metadata file.

    duckdb_reads.py METADATA SQL [ENDPOINT]

ENDPOINT is the S3 server, HOST:PORT, for tables in buckets. Prints rows as JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import duckdb

metadata, sql, *endpoint = sys.argv[1:]
database = duckdb.connect()
for name in ("avro", "iceberg", *(["httpfs"] if endpoint else [])):
    package = importlib.import_module(f"duckdb_extension_{name}")
    (extension,) = Path(package.__file__).parent.glob(
        f"extensions/v{duckdb.__version__}/*.duckdb_extension"
    )
    database.load_extension(str(extension))
for address in endpoint:
    database.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{os.environ['AWS_ACCESS_KEY_ID']}', SECRET"
        f" '{os.environ['AWS_SECRET_ACCESS_KEY']}', ENDPOINT '{address}', URL_STYLE 'path',"
        " USE_SSL false)"
    )
database.execute(f"CREATE VIEW records AS FROM iceberg_scan('{metadata}')")
rows = database.execute(sql)
names = [column[0] for column in rows.description]
print(json.dumps([dict(zip(names, row, strict=True)) for row in rows.fetchall()], default=str))
