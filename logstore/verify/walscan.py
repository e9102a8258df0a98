"""Reading a write-ahead file without believing it, and telling a torn write from damage. Pure.

A crash, or a write in flight, leaves the beginning of one frame at the very end of the newest
file, or one frame of full length with pages that never arrived (zeros). Anything else that is not
a whole frame was changed after it was written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from logstore.errors import FormatError
from logstore.formats import frame, group
from logstore.formats.group import Group
from logstore.storage.layout import wal_name
from logstore.verify.findings import Finding

_SECTOR = 512


@dataclass(slots=True)
class WalScan:
    """One write-ahead file.

    Attributes:
        key: its path in the store.
        first: index of its first record, by its name.
        groups: group commits, in order, continuing each other.
        torn: bytes of a torn tail.
        whole: bytes before it.
        findings: what is wrong with it.
    """

    key: str
    first: int
    groups: list[Group] = field(default_factory=list)
    torn: int = 0
    whole: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def end(self) -> int:
        """Index behind its last record."""
        return self.groups[-1].end if self.groups else self.first


def scan(data: bytes, key: str, origin: str, first: int) -> WalScan:
    """Read a file's bytes.

    Args:
        data: the whole file.
        key: its path in the store, for findings.
        origin: the log it must belong to.
        first: the record its name says it starts at.
    """
    found = WalScan(key, first)
    head = frame.read(data)
    if head is None or not _is_header(head, origin, first):
        _report(found, "wal-damaged", "it does not start with the header of this log and place")
        return found
    end = head.end
    for each in frame.scan(data, head.end):
        if not _take(found, each):
            return found
        end = found.whole = each.end
    _judge_rest(found, data, end)
    return found


def _is_header(head: frame.Frame, origin: str, first: int) -> bool:
    due = {"format": "aircon-wal/1", "origin": origin, "first": first}
    return head.type == frame.WAL_HEADER and bytes(head.payload) == json.dumps(due).encode()


def _take(found: WalScan, each: frame.Frame) -> bool:
    index = found.end
    if each.type != frame.WAL_GROUP:
        what = f"at byte {each.start} stands a frame that is no group commit"
        _report(found, "wal-damaged", what, index)
        return False
    try:
        taken = group.parse(each.payload)
    except FormatError as error:
        _report(found, "wal-damaged", f"at byte {each.start}: {error.what}", index)
        return False
    if taken.first != index:
        what = f"at byte {each.start} stands a group from record {taken.first}, {index} is due"
        _report(found, "wal-misplaced", what, index)
        return False
    found.groups.append(taken)
    return True


def _judge_rest(found: WalScan, data: bytes, end: int) -> None:
    if end == len(data):
        return
    resumed = frame.resumes_after(data, end)
    if resumed is not None:
        what = f"damaged at byte {end}, with whole groups again from byte {resumed} on"
        _report(found, "wal-damaged", what, found.end)
    elif is_torn(data, end):
        found.torn = len(data) - end
    else:
        what = f"its last group, at byte {end}, was whole once and was changed since"
        _report(found, "wal-damaged", what, found.end)


def is_torn(data: bytes, end: int) -> bool:
    """Whether what lies behind the last whole frame can be one interrupted write."""
    rest = data[end:]
    if not any(rest):
        return True
    if len(rest) < frame.HEADER.size:
        return rest[:4] == frame.MAGIC[: len(rest)]
    magic, kind, length, checksum = frame.HEADER.unpack_from(rest)
    payload = rest[frame.HEADER.size :]
    if magic != frame.MAGIC or kind != frame.WAL_GROUP or rest[5:8] != b"\0\0\0":
        return False
    if len(payload) < length <= frame.MAX_PAYLOAD:
        # Unless only the length was changed: then the rest is a whole frame under its own length.
        mended = frame.HEADER.pack(magic, kind, len(payload), checksum) + payload
        return frame.read(mended) is None
    return len(payload) == length and _has_empty_sector(data, end)


def _has_empty_sector(data: bytes, end: int) -> bool:
    start = -(-end // _SECTOR) * _SECTOR
    sectors = (data[at : at + _SECTOR] for at in range(start, len(data), _SECTOR))
    return any(not any(sector) for sector in sectors)


def _report(found: WalScan, code: str, what: str, index: int | None = None) -> None:
    found.findings.append(Finding(code, what, found.key, index))


def wal_first(key: str) -> int | None:
    """The record that a write-ahead file's name says it starts at, or None."""
    name = key.rpartition("/")[2]
    digits = name.removesuffix(".wal")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    return int(digits) if wal_name(int(digits)) == name else None
