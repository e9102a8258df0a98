"""One piece to one record: what runs in this process and in worker processes alike."""

from __future__ import annotations

from logstore.capture.interaction import Interaction
from logstore.capture.items import Item
from logstore.capture.linking import Sighting, sighting_of
from logstore.capture.records import to_record
from logstore.capture.registry import DECODERS
from logstore.errors import FormatError
from logstore.formats.record import Record


def recorded(item: Item, *, source: str, by: str, seq: int | None) -> Record | str:
    """The record of an item, or why there is none as a slug (`Bad.reason`); as `decoded`."""
    made = decoded(item, source=source, by=by, seq=seq)
    return made if isinstance(made, str) else made[1]


def sighted(item: Item, *, source: str, by: str, seq: int | None) -> tuple[Record, Sighting] | str:
    """The record of an item and what it tells about people, or why there is none; as `decoded`."""
    made = decoded(item, source=source, by=by, seq=seq)
    if isinstance(made, str):
        return made
    found, record = made
    return record, sighting_of(found, record, item.context)


def decoded(
    item: Item, *, source: str, by: str, seq: int | None
) -> tuple[Interaction, Record] | str:
    """What an item says and the record of it, or why there is none as a slug.

    Args:
        item: the evidence.
        source: importer or sender; never a person.
        by: operator or service identity that writes the record.
        seq: number of the item in its source; None where the source does not count.
    """
    try:
        found = DECODERS[item.format](item.raw)
        return found, to_record(item, found, source=source, by=by, seq=seq)
    except FormatError:
        return f"not-{item.format}"
    except Exception:  # noqa: BLE001 - evidence is kept, whatever a decoder does
        return "decoder-failed"
