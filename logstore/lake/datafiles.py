"""What the table's metadata says of one index object, read from bytes that were verified.

pyiceberg's own `add_files` opens each file by its name once more; here nothing is described that
was not hashed.
"""

from __future__ import annotations

import datetime as dt
from typing import IO, Any

from logstore.formats.pins import SegmentPin
from logstore.storage.layout import index_partition

_EPOCH = dt.date(1970, 1, 1)


def data_file(table: Any, address: str, pin: SegmentPin, verified: IO[bytes]) -> Any:
    """The `pyiceberg.manifest.DataFile` of a segment's index object.

    Args:
        table: the `pyiceberg.table.Table`.
        address: where engines find the object.
        pin: the segment.
        verified: the object's bytes, to be read from its beginning.

    Raises:
        TamperingFound: its name is not that of an index object.
    """
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import (
        compute_statistics_plan,
        data_file_statistics_from_parquet_metadata,
        parquet_path_to_id_mapping,
    )
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record

    log, day = index_partition(pin.index.key)
    schema = table.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pq.read_metadata(verified),
        stats_columns=compute_statistics_plan(schema, table.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=address,
        file_format=FileFormat.PARQUET,
        partition=Record(log, (day - _EPOCH).days),
        file_size_in_bytes=pin.index.size,
        sort_order_id=None,
        spec_id=table.spec().spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
