"""Which calls one source has and another lacks. Pure.

Records are of one call when they share a response id, a gateway's call id or provider's request
id, or trace and span id, on whichever side they stand. What is left on both sides is paired, one
to one, by model, token counts and a time within two seconds: that is an indication and no proof,
so it is counted apart. Calls are counted, not records: three records of a call are one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from logstore.query.calls import SAME_TIME_US, join_roots

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Verdict = Literal["both", "likely", "only-log", "only-other"]
"""A call by ids on both sides; paired only by model, tokens and time; on one side alone."""

VERDICTS: tuple[Verdict, ...] = ("both", "likely", "only-log", "only-other")
"""Every verdict, by its number in `Compared.verdict`."""

_BOTH, _LIKELY, _LEFT, _RIGHT = range(4)


@dataclass(frozen=True, slots=True)
class Side:
    """The records of one source; arrays have one value per record, keys are 0 where unknown.

    Attributes:
        time_us: when the call began, microseconds since 1970 UTC.
        keys: sorts of keys (trace and span, response, call id, known groups); the same sorts on
            both sides.
        likely: key of model and token counts.
        model: place of the model's name in `models`.
        models: names; untrusted text.
        place: where a record stands, for a person; untrusted text.
    """

    time_us: NDArray[np.int64]
    keys: tuple[NDArray[np.uint64], ...]
    likely: NDArray[np.uint64]
    model: NDArray[np.int32]
    models: list[str]
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.time_us)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was compared.

    Attributes:
        verdict: where it stands.
        time_us: when it began.
        model: its model; untrusted text, empty where unknown.
        place: its first record's place on the side that has it.
    """

    verdict: Verdict
    time_us: int
    model: str
    place: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Every call of two sources.

    Attributes:
        left: the log's side.
        right: the other side.
        verdict: of each call, its place in `VERDICTS`.
        record: of each call its first record, on the left where it stands there; records of the
            right side count on behind those of the left.
    """

    left: Side
    right: Side
    verdict: NDArray[np.int8]
    record: NDArray[np.int64]

    def time_us(self) -> NDArray[np.int64]:
        """When each call began."""
        import numpy as np

        return np.concatenate([self.left.time_us, self.right.time_us])[self.record]

    def within(self, since_us: int | None, until_us: int | None) -> Compared:
        """The calls that began in a time, `since_us` inclusive, `until_us` exclusive."""
        import numpy as np

        times = self.time_us()
        kept = np.ones(len(times), dtype=np.bool_)
        if since_us is not None:
            kept &= times >= since_us
        if until_us is not None:
            kept &= times < until_us
        return Compared(self.left, self.right, self.verdict[kept], self.record[kept])

    def totals(self) -> dict[Verdict, int]:
        """How many calls have each verdict."""
        import numpy as np

        counts = np.bincount(self.verdict, minlength=len(VERDICTS)).tolist()
        return dict(zip(VERDICTS, counts, strict=True))

    def by_hour(self) -> list[tuple[int, list[int]]]:
        """(start of the hour in microseconds, calls per verdict) in order of time."""
        import numpy as np

        hours = self.time_us() // _HOUR_US * _HOUR_US
        names, places = np.unique(hours, return_inverse=True)
        counts = self._counted(places, len(names))
        return [(int(hour), row) for hour, row in zip(names, counts, strict=True)]

    def by_model(self) -> list[tuple[str, list[int]]]:
        """(model, calls per verdict) by name."""
        import numpy as np

        names = sorted({*self.left.models, *self.right.models})
        number = {name: at for at, name in enumerate(names)}
        tables = [
            np.array([number[name] for name in side.models], dtype=np.int64)[side.model]
            for side in (self.left, self.right)
        ]
        places = np.concatenate(tables)[self.record]
        counts = self._counted(places, len(names))
        return [(name, row) for name, row in zip(names, counts, strict=True) if any(row)]

    def missing(self) -> Iterator[Call]:
        """Calls that only one side has, by time."""
        import numpy as np

        times = self.time_us()
        alone = np.flatnonzero(self.verdict >= _LEFT)
        for at in alone[np.argsort(times[alone], kind="stable")]:
            record = int(self.record[at])
            on_left = record < len(self.left)
            side = self.left if on_left else self.right
            here = record if on_left else record - len(self.left)
            model = side.models[int(side.model[here])]
            verdict = VERDICTS[int(self.verdict[at])]
            yield Call(verdict, int(times[at]), model, side.place(here))

    def _counted(self, places: NDArray[np.int64], count: int) -> list[list[int]]:
        import numpy as np

        kinds = len(VERDICTS)
        flat = np.bincount(places * kinds + self.verdict, minlength=count * kinds)
        rows: list[list[int]] = flat.reshape(count, kinds).tolist()
        return rows


_HOUR_US = 3_600_000_000


def compare(left: Side, right: Side) -> Compared:
    """Compare two sources; memory is some 200 bytes per record."""
    import numpy as np

    total = len(left) + len(right)
    both = [[np.concatenate(pair)] for pair in zip(left.keys, right.keys, strict=True)]
    roots = join_roots(np.arange(total), [*both])
    _, call = np.unique(roots, return_inverse=True)
    count = int(call.max()) + 1 if total else 0
    first = np.full(count, total)
    np.minimum.at(first, call, np.arange(total))
    on_left = np.bincount(call[: len(left)], minlength=count) > 0
    on_right = np.bincount(call[len(left) :], minlength=count) > 0
    verdict = np.where(on_left, np.where(on_right, _BOTH, _LEFT), _RIGHT).astype(np.int8)
    likely = np.concatenate([left.likely, right.likely])[first] if total else first
    times = np.concatenate([left.time_us, right.time_us])[first] if total else first
    for one, other in pairs(likely, times, verdict):
        verdict[one] = _LIKELY
        verdict[other] = -1  # it is counted with its pair
    kept = verdict >= 0
    return Compared(left, right, verdict[kept], first[kept])


def pairs(
    likely: NDArray[np.uint64], times: NDArray[np.int64], verdict: NDArray[np.int8]
) -> list[tuple[int, int]]:
    """Calls of the left and of the right that are likely the same; each in at most one pair."""
    import numpy as np

    open_ = np.flatnonzero((verdict >= _LEFT) & (likely != 0))
    order = open_[np.lexsort((times[open_], likely[open_]))]
    found: list[tuple[int, int]] = []
    waiting: deque[int] = deque()  # calls of one side, not paired yet, oldest first
    for at in order.tolist():
        while waiting and (
            likely[waiting[0]] != likely[at] or times[at] - times[waiting[0]] > SAME_TIME_US
        ):
            waiting.popleft()
        if waiting and verdict[waiting[0]] != verdict[at]:
            other = waiting.popleft()
            found.append((other, at) if verdict[at] == _RIGHT else (at, other))
        else:
            waiting.append(at)
    return found
