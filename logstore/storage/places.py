"""Where things lie: what is secret or disposable is next to a local store, not in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """A store and its neighbours.

    Attributes:
        store: the evidence itself; may be given to anyone who may see clear fields.
        keys: the key store; secret.
        policy: C2SP tlog-policy file: whom an auditor trusts.
        work: working copy and caches; may be deleted at any time.
        seen: checkpoints that verifications on this machine have accepted.
        tokens: who may send to the endpoint of this store.
    """

    store: Path
    keys: Path
    policy: Path
    work: Path
    seen: Path
    tokens: Path

    @classmethod
    def of(cls, store: Path) -> Places:
        """The default neighbours of a store directory."""
        store = store.absolute()
        return cls(
            store,
            store.with_name(store.name + ".keys"),
            store.with_name(store.name + ".policy"),
            store.with_name(store.name + ".work"),
            store.with_name(store.name + ".seen"),
            store.with_name(store.name + ".tokens"),
        )
