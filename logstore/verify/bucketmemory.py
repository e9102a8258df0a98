"""A bucket as one verification reads it: listed once, and nothing asked for twice.

A version of an object never becomes another one, so within one verification an answer holds. The
next verification begins with an empty memory: what it reports it has read itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from logstore.errors import TamperingFound
from logstore.s3.bucket import BucketReader, Fetched, Head
from logstore.s3.remote import Remote
from logstore.s3.versions import Version
from logstore.verify.bucketlisting import Listed, Pinned, list_bucket

THREADS = 16
"""Requests at one time: they wait for the server, hardly for this machine."""

_SMALL = 2**20  # bytes of an object that is kept once it was read
_KEPT = 256 * 2**20  # bytes of all that are


class _Connections:
    """This process's connections: a worker process makes its own, and its jobs share it."""

    made: dict[Remote, BucketReader] = {}  # noqa: RUF012 - one for each process is what is meant


class BucketMemory:
    """Answers of one bucket; safe to use from many threads.

    Args:
        remote: the bucket.
    """

    def __init__(self, remote: Remote) -> None:
        if remote not in _Connections.made:
            _Connections.made[remote] = BucketReader(remote)
        self._bucket = _Connections.made[remote]
        self._listed: Listed | None = None
        self._heads: dict[tuple[str, str], Head] = {}
        self._data: dict[tuple[str, str], bytes] = {}
        self._digests: dict[tuple[str, str], bytes] = {}
        self._kept = 0

    def listed(self, pinned: Pinned) -> Listed:
        """What lies in the bucket; remembered for `history`. See `bucketlisting.list_bucket`."""
        self._listed = list_bucket(self._bucket, self._remember, pinned)
        return self._listed

    def _remember(self, listed: Listed) -> None:
        self._listed = listed

    def history(self, name: str) -> list[Version]:
        """Versions of one name, the first ever put first; of very many the oldest."""
        if self._listed is None:  # in a worker process
            return self._bucket.history(name)
        held = self._listed.held.get(name)
        if held is None:
            return self._bucket.history(name) if self._listed.partial else []
        return held.oldest[::-1] if held.whole else self._bucket.history(name)

    def get(self, name: str, version_id: str, most: int) -> bytes:
        """Bytes of a version; raises what `BucketReader.get` does."""
        place = (name, version_id)
        data = self._data.get(place)
        if data is None:
            fetched = self._bucket.get(name, version_id, most=most)
            data = self._remembered(place, fetched)
        if len(data) > most:
            raise TamperingFound(f"{name} has more than {most:,} bytes")
        return data

    def _remembered(self, place: tuple[str, str], fetched: Fetched) -> bytes:
        self._heads[place] = fetched.head
        size = len(fetched.data)
        if size <= _SMALL and self._kept + size <= _KEPT:
            self._data[place] = fetched.data
            self._kept += size
        return fetched.data

    def head(self, name: str, version_id: str) -> Head:
        """What the server says of a version; raises what `BucketReader.head` does."""
        place = (name, version_id)
        if place not in self._heads:
            self._heads[place] = self._bucket.head(name, version_id)
        return self._heads[place]

    def alike(self, one: Version, other: Version) -> bool:
        """Whether two versions hold the same bytes; asks only where the listing can not tell.

        An entity tag is a digest of the bytes, but not of those that the server encrypts under KMS.
        """
        if (one.size, one.etag) == (other.size, other.etag):
            return True
        if one.size != other.size:
            return False
        try:
            heads = [self.head(each.name, each.version_id) for each in (one, other)]
            if all(head.plain_etag for head in heads):
                return False
            if all(head.checksum for head in heads):
                return heads[0].checksum == heads[1].checksum
            digests = [self.digest(v.name, v.version_id, v.size) for v in (one, other)]
            return digests[0] == digests[1]
        except (FileNotFoundError, TamperingFound):
            return False

    def digest(self, name: str, version_id: str, most: int) -> bytes:
        """SHA-256 of a version's bytes; raises what `BucketReader.digest` does."""
        place = (name, version_id)
        if place not in self._digests:
            self._digests[place], self._heads[place] = self._bucket.digest(*place, most=most)
        return self._digests[place]

    def fetch(self, names: Iterable[str]) -> None:
        """Get the first versions of small objects side by side, before each is asked for."""
        firsts = (history[0] for name in names if (history := self.history(name)))
        wanted = [each for each in firsts if each.size <= _SMALL]

        def one(version: Version) -> None:
            with contextlib.suppress(FileNotFoundError, TamperingFound):
                self.get(version.name, version.version_id, _SMALL)

        with ThreadPoolExecutor(THREADS, "aircon-verify-small") as pool:
            list(pool.map(one, wanted))
