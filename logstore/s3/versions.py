"""What lies under the names of a bucket: versions, delete markers, and in which order they came.

Rules:

1. A name's versions come newest first, as the server lists them: of several, the last listed was
   there first, and nothing put later changes that. Times in a listing are whole seconds on some
   servers, so they decide nothing.
2. S3 lists versions and markers in two lists, each in its own order. They are merged by name; among
   one name's entries a marker's place between versions is by time, so only good for telling.
3. Names are passed on as listed, whatever they are; `address.is_plain` says which are ours.
4. A listing ends: pages must move forward, and there is a most of entries, to which pages with few
   of them count as well. It says of which bucket and prefix it is: a page that anything else
   answers with must not pass for an empty store.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logstore.s3.address import Address
from logstore.s3.client import S3, Answer
from logstore.s3.failures import nonsense, told

MOST_ENTRIES = 20_000_000
"""Most entries that one listing is followed for."""

MAX_TEXT = 1024
"""Most bytes of a key (Amazon S3 user guide, "Naming objects"), and of an id or a tag."""

NO_VERSION = "null"
"""The version id of what was put while the bucket had no versioning: it can be overwritten."""

_PAGE = 1000
_FEW = 500  # entries that a page counts for at least: it takes as long
_NONE = 20_000  # entries that a page without any counts for: a server may give some, not only such


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object.

    Attributes:
        name: behind the prefix, as listed; not always a plain one.
        version_id: the server's id of it.
        size: bytes.
        etag: the server's entity tag, without quotes: the MD5 of most objects put in one piece.
        modified_us: when it was put by the server's clock, microseconds since 1970.
        latest: whether a read without a version id gets it.
    """

    name: str
    version_id: str
    size: int
    etag: str
    modified_us: int
    latest: bool


@dataclass(frozen=True, slots=True)
class Marker:
    """A delete marker: it hides the versions under a name and removes none.

    Attributes:
        name: behind the prefix, as listed; not always a plain one.
        version_id: the server's id of the marker.
        modified_us: when it was laid by the server's clock, microseconds since 1970.
        latest: whether a read without a version id is told that there is nothing.
    """

    name: str
    version_id: str
    modified_us: int
    latest: bool


Entry = Version | Marker


def listed(
    client: S3, address: Address, beginning: str, most: int | None = None
) -> Iterator[Entry]:
    """All entries whose names start so, page by page.

    Args:
        client: the bucket's.
        address: bucket and prefix.
        beginning: what the names start with; it may end in the middle of a part, or be empty.
        most: how many entries are followed, `MOST_ENTRIES` where that is None; a page counts for
            500 at least.

    Raises:
        StoreAway: the server can not be asked now.
        StoreRefused: it does not let us, its answer makes no sense, or it lists more than `most`.
    """
    place: tuple[str, str] = ("", "")
    left = MOST_ENTRIES if most is None else most
    while True:
        asked: dict[str, object] = {
            "Bucket": address.bucket, "Prefix": address.beginning + beginning, "MaxKeys": _PAGE,
        }  # fmt: skip
        if place[0]:
            asked["KeyMarker"] = place[0]
        if place[1]:
            asked["VersionIdMarker"] = place[1]
        with told(f"list {address}/{beginning}"):
            page = client.list_object_versions(**asked)
        entries = parse_page(page, address, beginning)
        left -= max(len(entries), _FEW) if entries else _NONE
        if left < 0:
            raise nonsense("it lists more objects than any store has")
        yield from entries
        if not page.get("IsTruncated"):
            return
        place = _next_place(page, place, len(entries))


def parse_page(page: Answer, address: Address, beginning: str = "") -> list[Entry]:
    """The entries of one page of a listing, in order.

    Raises:
        StoreRefused: the page lists what was not asked for, or lacks something.
    """
    start = address.beginning + beginning
    if (page.get("Name"), page.get("Prefix", "")) != (address.bucket, start):
        raise nonsense("a listing of something else than was asked for")
    try:
        versions = [_version(each, start, beginning) for each in page.get("Versions") or ()]
        markers = [_marker(each, start, beginning) for each in page.get("DeleteMarkers") or ()]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise nonsense(f"a listing with {type(error).__name__} in it") from error
    both: tuple[Iterable[Entry], Iterable[Entry]] = (versions, markers)
    return list(heapq.merge(*both, key=_order))


def microseconds(moment: object) -> int:
    """A time in an answer, as microseconds since 1970.

    Raises:
        TypeError: it is not a time with a zone.
    """
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        raise TypeError("no time with a zone")
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (moment - epoch) // dt.timedelta(microseconds=1)


def _order(entry: Entry) -> tuple[bytes, bool, int]:
    return entry.name.encode("utf-8", "surrogatepass"), not entry.latest, -entry.modified_us


def _version(said: Answer, start: str, beginning: str) -> Version:
    size = said["Size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError("an impossible size")
    return Version(
        _name(said, start, beginning), _id(said), size, _etag(said),
        microseconds(said["LastModified"]), said["IsLatest"] is True,
    )  # fmt: skip


def _marker(said: Answer, start: str, beginning: str) -> Marker:
    moment = microseconds(said["LastModified"])
    return Marker(_name(said, start, beginning), _id(said), moment, said["IsLatest"] is True)


def _name(said: Answer, start: str, beginning: str) -> str:
    key = said["Key"]
    if not key.startswith(start):
        raise ValueError("a key outside the prefix")
    if len(key.encode("utf-8", "surrogatepass")) > MAX_TEXT:
        raise ValueError("a key that is too long")
    return beginning + str(key[len(start) :])


def _id(said: Answer) -> str:
    found = said.get("VersionId", NO_VERSION)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_TEXT:
        raise ValueError("no version id")
    return found


def _etag(said: Answer) -> str:
    return str(said.get("ETag", ""))[:MAX_TEXT].strip('"')


def _next_place(page: Answer, place: tuple[str, str], entries: int) -> tuple[str, str]:
    found = (page.get("NextKeyMarker") or "", page.get("NextVersionIdMarker") or "")
    behind = found[0].encode("utf-8", "surrogatepass") < place[0].encode("utf-8", "surrogatepass")
    stays = found[0] == place[0] and (found[1] == place[1] or not entries)
    if not found[0] or behind or stays:
        raise nonsense("a listing that does not move forward")
    return found
