"""Records that say the endpoint was there: so that silence of a source is silence, not an outage.

``capture.started`` and ``capture.stopped`` frame the life of one endpoint process;
``capture.heartbeat`` comes at a fixed interval between them with what was counted since the last.
``capture.recalled`` says that records of an endpoint before were read back.
All are numbered from 0 under one source for each process, so a missing one shows as a gap.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from logstore.formats.leaf import ClearValue
from logstore.formats.record import Record

STARTED = "capture.started"
HEARTBEAT = "capture.heartbeat"
RECALLED = "capture.recalled"
STOPPED = "capture.stopped"

MAX_LISTED = 60
"""Sources named in one heartbeat; further ones are counted together as ``others``."""


class Heartbeats:
    """Makes the records of one endpoint process.

    Args:
        by: the service's identity.
    """

    def __init__(self, by: str) -> None:
        self._by = by
        self._source = f"endpoint/{os.urandom(6).hex()}"
        self._seq = 0
        self._before: dict[tuple[str, str], int] = {}

    def started(self, facts: Mapping[str, ClearValue]) -> Record:
        """The first record, with how the endpoint listens."""
        return self._record(STARTED, facts)

    def beat(self, tally: Mapping[tuple[str, str], int]) -> Record:
        """What was stored since the last record, by source.

        Args:
            tally: records by (source, kind) since the process began.
        """
        return self._record(HEARTBEAT, self._since(tally))

    def recalled(self, records: int) -> Record:
        """That so many records of an endpoint before this one are read back."""
        return self._record(RECALLED, {"records": records})

    def stopped(self, tally: Mapping[tuple[str, str], int]) -> Record:
        """The last record."""
        return self._record(STOPPED, self._since(tally))

    def _since(self, tally: Mapping[tuple[str, str], int]) -> dict[str, ClearValue]:
        fresh: dict[str, int] = {}
        for (source, kind), count in tally.items():
            more = count - self._before.get((source, kind), 0)
            if more:
                fresh[source] = fresh.get(source, 0) + more
        self._before = dict(tally)
        most = sorted(fresh.items(), key=lambda each: (-each[1], each[0]))
        listed = [f"{source}={count}" for source, count in most[:MAX_LISTED]]
        if len(most) > MAX_LISTED:
            listed.append(f"others={sum(count for _, count in most[MAX_LISTED:])}")
        return {"records": sum(fresh.values()), "sources": listed}

    def _record(self, kind: str, facts: Mapping[str, ClearValue]) -> Record:
        seq = self._seq
        self._seq += 1
        return Record(kind, self._source, self._by, clear=facts, seq=seq)
