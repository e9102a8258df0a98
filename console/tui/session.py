"""What the console needs from the rest of aircon, as Protocols.

Rules of this file:

1. The console reaches the log only through a `Session`; tests bring a synthetic one.
2. Every method may be slow and is called from worker threads only; attributes are cheap.
3. Every text that comes back is untrusted: it passes `console.text.safe_text` before a terminal.
4. A method that cannot do its work raises from `logstore.errors`; nothing else is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from logstore.query.filters import Filter
from logstore.query.rows import Detail, Histogram, Row, Selection

VerdictState = Literal["verified", "tampering", "cannot-judge"]
"""The three answers a verification can give (DESIGN section 8)."""


class ExplorerLike(Protocol):
    """Questions over the log (`logstore.query.explorer.Explorer`); callable from any thread."""

    def refresh(self) -> int:
        """Take in what the writer added; the number of readable records."""

    def select(self, wanted: Filter, /) -> Selection:
        """The records that match."""

    def extend(self, selection: Selection, /) -> Selection:
        """The same selection with the records that came since, looking only at those."""

    def rows(self, selection: Selection, start: int, count: int, /) -> Sequence[Row]:
        """At most `count` rows from position `start` of the selection."""

    def histogram(self, selection: Selection, buckets: int, /) -> Histogram:
        """The selection over time, by calls as far as `find_calls` told their records apart."""

    def find_calls(self) -> None:
        """Find out which records are of one call."""

    def detail(self, index: int, /) -> Detail:
        """One record, whole."""

    def conversation(self, index: int, /) -> Sequence[Detail]:
        """The records of the same session or conversation, oldest first."""

    def similar(self, index: int, /) -> Selection:
        """Records whose text is like this one's."""

    def cancel(self) -> None:
        """Stop whatever runs now; its callers get `QueryRefused`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found.

    Attributes:
        state: the answer.
        checkpoint: records covered by the newest checkpoint that was checked.
        size: records readable, sealed or not, when it ran.
        lines: the report for a person, most important first.
    """

    state: VerdictState
    checkpoint: int
    size: int
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """How far each protection reaches, in records from 0 (DESIGN section 4).

    Attributes:
        size: records readable.
        signed: of these, under a signed checkpoint.
        sealed: of these, in sealed segments.
        witnessed: of these, cosigned by the quorum of witnesses.
        away: whether the bucket could not be asked, so this machine's copies were.
    """

    size: int
    signed: int = 0
    sealed: int = 0
    witnessed: int = 0
    away: bool = False


class Session(Protocol):
    """An open store, as the console sees it."""

    @property
    def name(self) -> str:
        """The store's name for the status line."""

    @property
    def store(self) -> str:
        """The store's path as a command line would name it; empty for the default store."""

    @property
    def explorer(self) -> ExplorerLike:
        """Questions over it; replaced when the store is unlocked."""

    @property
    def locked(self) -> bool:
        """True while content cannot be decrypted: clear fields only."""

    def now_us(self) -> int:
        """Wall clock, microseconds since 1970 UTC."""

    def extent(self) -> Extent:
        """How much of the log is signed, sealed and witnessed."""

    def unlock(self, passphrase: bytes) -> None:
        """Open the key store.

        Raises:
            PassphraseWrong: it does not open it.
        """

    def verify(
        self, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> Verdict:
        """Check the whole log; `progress(done, total)` in records."""

    def record_access(self, kind: str, facts: Mapping[str, object]) -> None:
        """Append an ``access.*`` record.

        Raises:
            NotDurable: it could not be recorded; the access must not happen.
        """
