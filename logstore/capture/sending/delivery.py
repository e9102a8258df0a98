"""How a record leaves the process: acknowledged before the call goes on, or by way of the spool."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

import msgspec

from logstore.capture.sending.endpoint import Endpoint, Parcel, Unsent, backoff_s
from logstore.capture.sending.killswitch import KillSwitch
from logstore.capture.sending.refusals import NotRecorded
from logstore.capture.sending.settings import Settings
from logstore.capture.sending.spool import Spool
from logstore.capture.sending.spoolfile import Waiting

_REFUSED_WAIT_S = 60.0  # a token or address that is wrong is not put right by asking often
_log = logging.getLogger("aircon.capture")


class Status(msgspec.Struct, frozen=True):
    """How a client fares.

    Attributes:
        source: its name in the log, below the token's own.
        recorded: records acknowledged by the endpoint.
        unreadable: of these, kept by the endpoint as evidence which it can not read.
        waiting_bytes: bytes in the spool, sent or not, that still take room.
        dropped: records lost because the spool was full or could not be written.
        refused: records that the endpoint will never take, too large for it or not readable.
        damaged: files of the spool put aside because they could not be read.
        trouble: why nothing is acknowledged at the moment; None when all is well.
    """

    source: str
    recorded: int = 0
    unreadable: int = 0
    waiting_bytes: int = 0
    dropped: int = 0
    refused: int = 0
    damaged: int = 0
    trouble: str | None = None


class Delivery(Protocol):
    """Takes evidence on its way; one per process and client."""

    def deliver(self, raw: bytes) -> int | None:
        """Pass evidence on; gives its index where it is acknowledged already.

        Raises:
            NotRecorded: in closed mode, it was not acknowledged.
        """
        ...

    def status(self) -> Status:
        """How it fares."""
        ...

    def close(self) -> bool:
        """Finish within the time set; whether nothing is left to send."""
        ...

    def abandon(self) -> None:
        """Let go of everything without touching it: it is another process's."""
        ...


class Acknowledged:
    """Closed mode: each record is posted by the caller's own thread, and acknowledged."""

    def __init__(
        self, settings: Settings, source: str, endpoint: Endpoint, stop: KillSwitch
    ) -> None:
        self._settings = settings
        self._source = source
        self._endpoint = endpoint
        self._stop = stop
        self._lock = threading.Lock()
        self._next = self._recorded = self._unreadable = 0
        self._trouble: str | None = None

    def deliver(self, raw: bytes) -> int | None:
        """Post one record and wait for its acknowledgement."""
        with self._lock:
            parcel = Parcel(self._source, self._next, (raw,))
            self._next += 1
        index, trouble = self._post(parcel)
        self._trouble = trouble
        if trouble is not None:
            self._stop.doubt()
            raise NotRecorded(trouble)  # in the context of the model's own error, if any
        with self._lock:
            self._recorded += 1
            self._unreadable += index is None
        if index is None:
            raise NotRecorded("the endpoint kept it only as evidence that it can not read")
        self._stop.answered()
        return index

    def status(self) -> Status:
        """How it fares."""
        return Status(
            self._source,
            recorded=self._recorded,
            unreadable=self._unreadable,
            trouble=self._trouble,
        )

    def close(self) -> bool:
        """Close the connections."""
        self._endpoint.close()
        return True

    def abandon(self) -> None:
        """Nothing is held that a fork could harm."""

    def _post(self, parcel: Parcel) -> tuple[int | None, str | None]:
        """(index, None), or (None, why it was not acknowledged)."""
        try:
            return self._endpoint.post(parcel, within_s=self._settings.timeout_s)[0], None
        except Unsent as unsent:
            return None, unsent.why


class Spooled:
    """Open mode: records go to the spool, and a thread sends them from there in order."""

    def __init__(
        self, settings: Settings, source: str, endpoint: Endpoint, stop: KillSwitch, spool: Spool
    ) -> None:
        self._settings = settings
        self._source = source
        self._endpoint = endpoint
        self._stop = stop
        self._spool = spool
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._next = self._recorded = self._unreadable = self._refused = 0
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="aircon-capture", daemon=True)
        self._thread.start()

    def deliver(self, raw: bytes) -> None:
        """Let one record wait in the spool; never fails."""
        with self._lock:  # numbers in the order of the spool
            waiting = Waiting(self._source, self._next, raw)
            self._next += 1
            self._spool.add(waiting)
        self._wake.set()

    def status(self) -> Status:
        """How it fares."""
        return Status(
            self._source,
            recorded=self._recorded,
            unreadable=self._unreadable,
            waiting_bytes=self._spool.used,
            dropped=self._spool.dropped,
            refused=self._refused,
            damaged=self._spool.damaged,
            trouble=self._trouble,
        )

    def close(self) -> bool:
        """Send what waits, but not longer than `close_s`; the rest stays in the spool."""
        self._closing.set()
        self._wake.set()
        self._thread.join(self._settings.close_s)
        self._endpoint.close()  # which ends a request that is still under way
        self._thread.join(1)
        if self._thread.is_alive():
            self._spool.sync()
            return False  # its lock and files go with the process
        sent = self._spool.head() is None
        if not sent:
            self._spool.sync()
            _log.warning("records stay in the spool; the next client that opens it sends them")
        self._spool.close()
        return sent

    def abandon(self) -> None:
        """The spool's lock and files are the parent's."""
        self._spool.abandon()

    def _run(self) -> None:
        attempt = 0
        until: float | None = None
        while True:
            if self._closing.is_set() and until is None:
                until = time.monotonic() + self._settings.close_s
            self._wake.clear()
            parcel = self._spool.head()
            if parcel is None:
                if self._closing.is_set():
                    return
                self._wake.wait()
                continue
            wait = self._try(parcel, attempt)
            attempt = 0 if wait is None else attempt + 1
            if wait is not None and not self._pause(wait, until):
                return

    def _try(self, parcel: Parcel, attempt: int) -> float | None:
        """As `_send`; what fails unforeseen is told and tried again: the thread must live."""
        try:
            return self._send(parcel, attempt)
        except Exception as error:  # noqa: BLE001 - nobody would notice the thread's end
            self._trouble = type(error).__name__
            _log.error("sending records failed: %s", self._trouble)
            return _REFUSED_WAIT_S

    def _send(self, parcel: Parcel, attempt: int) -> float | None:
        """Send records once; seconds to wait before the next attempt, None when they are done."""
        within = self._settings.close_s if self._closing.is_set() else self._settings.timeout_s
        try:
            indexes = self._endpoint.post_once(parcel, timeout_s=max(within, 0.05))
        except Unsent as unsent:
            self._trouble = unsent.why
            if unsent.hopeless:
                self._part(parcel)
                return None
            self._spool.sync()
            self._stop.note()
            wait = backoff_s(attempt) if unsent.again else _REFUSED_WAIT_S
            return wait if unsent.wait_s is None else unsent.wait_s
        self._note(indexes)
        self._spool.done()
        return None

    def _part(self, parcel: Parcel) -> None:
        """Try the records of a request that is not taken one by one; give up a single one."""
        if len(parcel.records) > 1:
            self._spool.part()
            return
        self._refused += 1
        self._spool.done()
        _log.error("a record of %d bytes is not taken: %s", len(parcel.records[0]), self._trouble)

    def _note(self, indexes: list[int | None]) -> None:
        self._recorded += len(indexes)
        self._unreadable += indexes.count(None)
        self._trouble = None
        self._stop.answered()

    def _pause(self, wait_s: float, until: float | None) -> bool:
        """Wait before the next attempt; False where closing leaves no time for one."""
        if until is None:
            self._closing.wait(wait_s)
            return True
        left = until - time.monotonic()
        if wait_s >= left:
            return False
        time.sleep(wait_s)
        return True
