"""What the explorer shows: plain values. All text in them is untrusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from logstore.capture.interaction import Interaction
from logstore.formats.body import Body
from logstore.query.filters import Filter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ContentState = Literal[
    "open", "undecoded", "destroyed", "no-key", "no-body", "absent", "tampered", "locked"
]
"""``open``: read and decoded; ``undecoded``: read, but its decoder could not; ``destroyed``,
``no-key``, ``absent``: the body exists but its key was destroyed, is not in this key store, or
the body object is gone; ``tampered``: it contradicts its leaf; ``no-body``: there never was one;
``locked``: no passphrase was given."""


class Row(msgspec.Struct, frozen=True):
    """One record in a list. None where unknown, or where content is locked.

    Attributes:
        time_us: event time, microseconds since 1970 UTC.
        user: first person named.
        session: raw session id; its token where content is locked.
        model: answering model, else the one asked for.
        input_preview: at most 200 characters of the last thing asked.
        output_preview: at most 200 characters of the answer.
        gaps: what the source could not give.
    """

    index: int
    id: str
    time_us: int
    kind: str
    operation: str | None
    application: str | None
    user: str | None
    session: str | None
    model: str | None
    model_version: str | None
    input_preview: str | None
    output_preview: str | None
    tokens_in: int | None
    tokens_out: int | None
    duration_us: int | None
    error_type: str | None
    tool_names: list[str]
    gaps: list[str]
    state: ContentState


@dataclass(frozen=True, slots=True)
class Selection:
    """The records that match a filter, by event time and, where it is the same, by index.

    What the writer adds while one looks stands at the end, in the order in which it came.

    Attributes:
        filter: what was asked.
        size: records below this index were looked at.
        indexes: record indexes as int64; a range when every record matches and the log is in order.
        label: said instead of the filter, e.g. ``similar to record 17``; empty for filters.
    """

    filter: Filter
    size: int
    indexes: NDArray[np.int64] | range
    label: str = ""

    @property
    def count(self) -> int:
        """How many records match."""
        return len(self.indexes)

    def position(self, index: int) -> int | None:
        """Where a record stands, or None when it is not one of them."""
        if isinstance(self.indexes, range):
            return self.indexes.index(index) if index in self.indexes else None
        found = (self.indexes == index).nonzero()[0]
        return int(found[0]) if len(found) else None

    def slice(self, start: int, count: int, *, newest_first: bool = False) -> list[int]:
        """Record indexes of one page; `start` counts from the end when newest first."""
        start, count = max(start, 0), max(count, 0)
        if newest_first:
            stop = max(self.count - start, 0)
            page = self.indexes[max(stop - count, 0) : stop][::-1]
        else:
            page = self.indexes[start : start + count]
        return [int(index) for index in page]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Calls over time, empty buckets included; records where there is no call among them.

    Attributes:
        start_us: start of the first bucket, microseconds since 1970 UTC.
        end_us: end of the last bucket, exclusive.
        records: records per bucket.
        errors: what failed per bucket, of what `counts` counts.
        calls: calls per bucket, each once, at its best record of those that were chosen; None
            where no record is of a call, or where records of one call cannot be told.
        settled: False while records of one call are still to be told apart, among the newest or
            among all.
    """

    start_us: int
    end_us: int
    records: list[int]
    errors: list[int]
    calls: list[int] | None = None
    settled: bool = True

    @property
    def counts(self) -> list[int]:
        """What the bars show: calls, else records."""
        return self.records if self.calls is None else self.calls

    @property
    def width_us(self) -> int:
        """Width of one bucket in microseconds."""
        return max((self.end_us - self.start_us) // max(len(self.counts), 1), 1)


@dataclass(frozen=True, slots=True)
class SameCall:
    """The records of one call (a gateway log and a span of it, say).

    Attributes:
        others: indexes of its other records, ascending.
        primary: the record that is counted for the call; None where that is not known.
    """

    others: Sequence[int] = ()
    primary: int | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One record in full, read from the evidence and not from the working copy.

    Attributes:
        row: the record as in lists.
        leaf: its exact leaf bytes.
        interaction: decoded again from the evidence; None for system records or locked content.
        body: the opened body, commitment checked.
        unreadable: why there is no body or no interaction, in words; None when all could be read.
        state: the same as a slug.
        verified_to: records below this index are covered by a verified checkpoint.
        same: the other records of the same call.
    """

    row: Row
    leaf: bytes
    interaction: Interaction | None
    body: Body | None
    unreadable: str | None
    state: ContentState
    verified_to: int
    same: SameCall = SameCall()

    @property
    def same_call(self) -> list[int]:
        """Indexes of the other records of the same call."""
        return list(self.same.others)

    @property
    def interaction_json(self) -> dict[str, Any] | None:
        """`interaction` as plain JSON types, for exports."""
        return None if self.interaction is None else msgspec.to_builtins(self.interaction)
