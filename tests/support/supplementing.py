"""Survivors of an erasure, taken from a log that is open for writing."""

from __future__ import annotations

from logstore.formats.policy import Policy
from logstore.formats.record import Record
from logstore.keys.entries import KeyEntry
from logstore.storage.bodies import Disclosure
from logstore.storage.log import Log, Owner, Survivor
from logstore.storage.reader import LogReader

MONTH = "2026-11"


def person(name: str) -> Owner:
    return Owner("subject", name, MONTH)


def survivors(log: Log, owners: dict[int, tuple[Owner, ...]]) -> list[Survivor]:
    """What is readable of records, to go under other keys."""
    policy = Policy((log.keys.signer().verifier(),))
    reader = LogReader(log._store, log.origin, policy, log.keys)
    found = []
    for index, who in owners.items():
        ((_, _, _, opened),) = reader.disclosures(index, 1)
        assert isinstance(opened, Disclosure), opened
        found.append(Survivor(index, opened.nonce + opened.content, who))
    return found


def keys_of(log: Log, identity: str, scope: str = "conversation") -> list[KeyEntry]:
    return [e for e in log.keys.entries() if (e.scope, e.identity) == (scope, identity)]


def destroy(log: Log, identity: str, scope: str = "conversation") -> list[bytes]:
    """Destroy keys as an erasure does: said on the log first; returns the secrets."""
    doomed = keys_of(log, identity, scope)
    assert doomed
    for entry in doomed:
        log.append(Record("key.destroyed", "aircon", clear={"key": entry.id}))
    log.keys.destroy([entry.id for entry in doomed])
    return [entry.key for entry in doomed]
