"""Fetches content that records only point at, from allowed locations, within bounds.

    fetcher = Fetcher(AllowList(["file:///srv/ai/content/"]))
    records = fetcher.complete(records)      # off the event loop: it reads files and the network

Rules of this file:

1. What may be read is decided by `references` before anything is opened here.
2. A directory is left by no way: every step below it is opened without following links.
3. HTTPS goes to the address that was checked, not to what the name means a moment later; private
   and local addresses only where the location names the address itself. No redirects, proxies,
   netrc or compression; the certificate must fit the name.
4. One call ends within its time, whatever answers slowly; what was not there by then is a gap.
   Records are never lost, and never changed but by what was fetched.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from logstore.capture.importing import Log
from logstore.capture.references import (
    Address,
    AllowList,
    Reason,
    completed,
    is_json,
    points_elsewhere,
    references_of,
)
from logstore.capture.registry import decode
from logstore.errors import FormatError
from logstore.formats import body as bodies
from logstore.formats.record import Receipt, Record, Refusal

if TYPE_CHECKING:
    import ssl

MAX_OBJECT = 16 * 2**20
"""Largest object in bytes."""

WAIT_S = 5.0
"""Longest wait for a connection, or for its next bytes."""

TOTAL_S = 20.0
"""Longest time one call of `Fetcher.complete` takes."""

WORKERS = 8
"""Objects fetched at a time."""

_CHUNK = 64 * 1024
_NAT64 = IPv6Network("64:ff9b::/96")

Fetched = bytes | Reason


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much and how long.

    Attributes:
        object_bytes: largest object.
        wait_s: longest wait for a connection or for more bytes.
        total_s: longest time of one call.
    """

    object_bytes: int = MAX_OBJECT
    wait_s: float = WAIT_S
    total_s: float = TOTAL_S


class _NotFetched(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Fetcher:
    """Completes records with the content they point at. Safe to use from several threads.

    Args:
        allowed: where content may lie.
        bounds: how much and how long.
        s3: makes the client for buckets; by default boto3's, with its usual credentials.
        trust: certificates that HTTPS servers are checked against; by default the system's.
    """

    def __init__(
        self,
        allowed: AllowList,
        bounds: Bounds | None = None,
        *,
        s3: Callable[[], Any] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._bounds = bounds or Bounds()
        self._make_s3 = s3 or self._usual_s3
        self._trust = trust
        self._pool = ThreadPoolExecutor(WORKERS, "aircon-fetch")

    def close(self) -> None:
        """Let go of connections; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def complete(self, records: Sequence[Record]) -> list[Record]:
        """The same records, in order; those that point elsewhere with what lay there.

        Takes at most `Bounds.total_s`. A record whose content could not be fetched has the gap
        ``content-by-reference`` and a second one, ``reference-...``, that says why.
        """
        waiting = {at: each for at, each in enumerate(records) if points_elsewhere(each)}
        if not waiting:
            return list(records)
        opened = {at: found for at, each in waiting.items() if (found := _opened(each)) is not None}
        addresses = {each for _, _, named in opened.values() for each in named.values()}
        fetched = self._fetch_all(sorted(addresses))
        done = list(records)
        for at, (body, found, named) in opened.items():
            here = {name: fetched[address] for name, address in named.items()}
            done[at] = _completed(done[at], body, found, here)
        return done

    def _fetch_all(self, addresses: Iterable[str]) -> dict[str, Fetched]:
        deadline = time.monotonic() + self._bounds.total_s
        found: dict[str, Fetched] = {}
        running: dict[str, Future[Fetched]] = {}
        for address in addresses:
            chosen = self._allowed.find(address)
            if isinstance(chosen, str):
                found[address] = chosen
            else:
                running[address] = self._pool.submit(self._fetch, *chosen, deadline)
        wait(running.values(), timeout=self._bounds.total_s)
        for address, future in running.items():
            future.cancel()
            found[address] = (
                future.result() if future.done() and not future.cancelled() else "too-slow"
            )
        return found

    def _fetch(self, place: Address, wanted: Address, deadline: float) -> Fetched:
        pieces = {"file": self._file, "s3": self._object, "https": self._page}[wanted.scheme]
        data = bytearray()
        try:
            for piece in pieces(place, wanted):
                data += piece
                if len(data) > self._bounds.object_bytes:
                    return "too-large"
                if time.monotonic() > deadline:
                    return "too-slow"
        except _NotFetched as error:
            return error.reason
        except TimeoutError:
            return "too-slow"
        except Exception as error:  # noqa: BLE001 - boto3, httpx, ssl, OS: all mean one thing here
            return _reason_of(error)
        whole = bytes(data)
        return whole if is_json(whole) else "not-json"

    # -- files ----------------------------------------------------------------------------------

    def _file(self, place: Address, wanted: Address) -> Iterator[bytes]:
        """A regular file below a directory; no step may be a link."""
        below = wanted.path[len(place.path) :]
        folder = os.open("/" + "/".join(place.path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            for step in below[:-1]:
                inner = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            # Not to hang on a pipe that somebody put there.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(below[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)
        with os.fdopen(file, "rb", buffering=0) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise _NotFetched("unreadable")
            while piece := stream.read(_CHUNK):
                yield piece

    # -- buckets --------------------------------------------------------------------------------

    @cached_property
    def _s3(self) -> Any:
        return self._make_s3()

    def _usual_s3(self) -> Any:
        import boto3
        from botocore.config import Config

        wait_s = self._bounds.wait_s
        once = {"total_max_attempts": 1}
        config = Config(connect_timeout=wait_s, read_timeout=wait_s, retries=once)
        return boto3.session.Session().client("s3", config=config)

    def _object(self, _place: Address, wanted: Address) -> Iterator[bytes]:
        answer = self._s3.get_object(Bucket=wanted.authority, Key="/".join(wanted.path))
        stream = answer["Body"]
        try:
            if answer.get("ContentLength", 0) > self._bounds.object_bytes:
                raise _NotFetched("too-large")
            while piece := stream.read(_CHUNK):
                yield piece
        finally:
            stream.close()

    # -- HTTPS ----------------------------------------------------------------------------------

    def _page(self, _place: Address, wanted: Address) -> Iterator[bytes]:
        import ssl
        from urllib.parse import quote

        import httpx

        host, _, port = _split_port(wanted.authority)
        address = _checked_address(host, int(port or 443))
        trust = self._trust or ssl.create_default_context()
        path = "/".join(quote(segment, safe="!$&'()*+,;=:@~") for segment in wanted.path)
        target = f"[{address}]" if ":" in address else address
        name = host.strip("[]")
        with (
            httpx.Client(verify=trust, trust_env=False, timeout=self._bounds.wait_s) as client,
            client.stream(
                "GET",
                f"https://{target}:{port or 443}/{path}",
                headers={"Host": wanted.authority, "Accept-Encoding": "identity"},
                extensions={"sni_hostname": name},
            ) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                missing = answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE)
                raise _NotFetched("not-found" if missing else "unreadable")
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise _NotFetched("unreadable")
            yield from answer.iter_raw(_CHUNK)


class CompletingLog:
    """A log that records reach with the content they point at; for `importing.import_files`."""

    def __init__(self, log: Log, fetcher: Fetcher) -> None:
        self._log = log
        self._fetcher = fetcher

    def append_many(
        self, records: Iterable[Record], *, group: int = 1024
    ) -> Iterator[Receipt | Refusal]:
        """As `Log.append_many`, reading at most `WORKERS` records ahead."""
        return self._log.append_many(self._completed(records), group=group)

    def _completed(self, records: Iterable[Record]) -> Iterator[Record]:
        source = iter(records)
        while chunk := list(islice(source, WORKERS)):
            yield from self._fetcher.complete(chunk)


def _split_port(authority: str) -> tuple[str, str, str]:
    if authority.endswith("]"):
        return authority, "", ""
    host, colon, port = authority.rpartition(":")
    return (host, colon, port) if colon and "]" not in port else (authority, "", "")


def _checked_address(host: str, port: int) -> str:
    """The address to connect to: the one that is named, or a public one of the name's."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        pass
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]) for info in found]
    if not addresses or not all(map(is_public, addresses)):
        raise _NotFetched("not-allowed")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the open Internet, also behind a mapping of IPv4 into IPv6."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in _NAT64:
            inner.append(IPv4Address(int(found) & 0xFFFF_FFFF))
        if not all(each.is_global for each in inner if each is not None):
            return False
        if found.ipv4_mapped is not None:
            return True
    return found.is_global and not found.is_multicast


def _reason_of(error: Exception) -> Reason:
    code = getattr(error, "response", None)
    named = code.get("Error", {}).get("Code") if isinstance(code, Mapping) else None
    if named in ("NoSuchKey", "NoSuchBucket", "404") or isinstance(error, FileNotFoundError):
        return "not-found"
    if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "not-allowed"
    return "too-slow" if "Timeout" in type(error).__name__ else "unreadable"


def _opened(record: Record) -> tuple[bodies.Body, Any, dict[str, str]] | None:
    """(body, interaction, references) of a record; None when it cannot be decoded."""
    assert record.content is not None
    try:
        body = bodies.parse(record.content)
        found = decode(body.raw, body.format)
    except Exception:  # noqa: BLE001 - a decoder's fault must not keep a record from the log
        return None
    named = references_of(found)
    return (body, found, named) if named else None


def _completed(
    record: Record, body: bodies.Body, found: Any, fetched: Mapping[str, Fetched]
) -> Record:
    try:
        return completed(record, body, found, fetched)
    except FormatError:  # together they are too much for one body
        missing: dict[str, Fetched] = dict.fromkeys(fetched, "too-large")
        again = decode(body.raw, body.format)
        return completed(record, body, again, missing)
