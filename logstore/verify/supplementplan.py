"""What a supplement says it holds: its blocks' keys and records, checked against its pin. Pure.

The records of a supplement lie scattered over the log, so only what needs no leaf is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from logstore.errors import FormatError
from logstore.formats.pins import SupplementPin
from logstore.storage.segment import body_schema
from logstore.verify.parquetfile import open_parquet

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class SupplementPlan:
    """The blocks of one supplement, in order.

    Attributes:
        pin: the supplement.
        blocks: key ids and record indexes of each.
        indexes: every record in it, ascending.
    """

    pin: SupplementPin
    blocks: list[tuple[tuple[str, ...], list[int]]] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)


def read_plan(pin: SupplementPin, data: pa.Buffer) -> SupplementPlan:
    """Read the plan of an object whose whole-file hash was found right.

    Raises:
        FormatError: it is not laid out as supplements are, or not what its pin says.
    """
    import pyarrow as pa

    plan = SupplementPlan(pin)
    parts: dict[tuple[str, ...], int] = {}
    try:
        file = open_parquet(data, body_schema())
        for number in range(file.metadata.num_row_groups):
            table = file.read_row_group(
                number, columns=["part", "keys", "indexes"], use_threads=False
            )
            for row in table.to_pylist():
                _take(plan, parts, row["part"], tuple(row["keys"]), row["indexes"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"it can not be read: {error}") from None
    plan.indexes = sorted(index for _, indexes in plan.blocks for index in indexes)
    if len(plan.indexes) != pin.records:
        raise FormatError(f"it holds {len(plan.indexes)} records, its pin says {pin.records}")
    if (plan.indexes[0], plan.indexes[-1]) != (pin.first, pin.last):
        raise FormatError("it spans other records than its pin says")
    if any(a == b for a, b in pairwise(plan.indexes)):
        raise FormatError("it holds a record twice")
    return plan


def _take(
    plan: SupplementPlan,
    parts: dict[tuple[str, ...], int],
    part: int,
    keys: tuple[str, ...],
    indexes: list[int],
) -> None:
    if part != parts.get(keys, 0):
        raise FormatError(f"part {part} of a block is out of order")
    parts[keys] = part + 1
    if not keys or not all(a < b for a, b in pairwise(keys)):
        raise FormatError("the keys of a block are not in order")
    if not indexes or not all(a < b for a, b in pairwise(indexes)):
        raise FormatError("the records of a block are not in order")
    plan.blocks.append((keys, indexes))
