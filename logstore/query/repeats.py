"""Which records tell of a call again, in memory: what is chosen is counted without a question.

Only records that share their call with another one stand here; every other is a call of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Repeats:
    """Sixteen bytes per record that shares its call with another one.

    Attributes:
        index: these records, those of one call one after the other, the best of them first.
        root: the call of each, named by its first record.
        size: records of the log that were told apart.
    """

    index: NDArray[np.int64]
    root: NDArray[np.int64]
    size: int

    def among(self, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(records that tell of a call again, the record that stands for the call of each).

        Args:
            chosen: of every record of the log, whether it is looked at; only such records are
                found, and only such stand for a call.
        """
        import numpy as np

        here = chosen[self.index]
        index, root = self.index[here], self.root[here]
        best = np.ones(len(root), dtype=np.bool_)
        best[1:] = root[1:] != root[:-1]
        stands = index[best][np.cumsum(best) - 1]
        return index[~best], stands[~best]


def read_repeats(cursor: DuckDBPyConnection, size: int) -> Repeats:
    """What ``base.calls`` holds.

    Args:
        cursor: of the instance.
        size: records of the log that it was found out for.
    """
    import numpy as np

    found = cursor.execute("SELECT index, root FROM base.calls ORDER BY root, place").fetchnumpy()
    return Repeats(np.asarray(found["index"], np.int64), np.asarray(found["root"], np.int64), size)
