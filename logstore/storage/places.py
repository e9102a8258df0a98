"""Where things lie: what is secret or disposable is next to a local store, not in it.

A store in a bucket has a home on each machine that uses it (`home`), which takes its place:

    $AIRCON_HOME, else $XDG_DATA_HOME/aircon, else ~/.local/share/aircon
        s3.BUCKET.PREFIX        the home
        s3.BUCKET.PREFIX.keys   and so on, as beside a local store
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from logstore.s3.address import Address

HOME_VARIABLE = "AIRCON_HOME"
"""Environment variable that names the folder of homes."""


@dataclass(frozen=True, slots=True)
class Places:
    """A store and its neighbours.

    Attributes:
        store: the evidence itself, or its home; may be given to anyone who may see clear fields.
        keys: the key store; secret.
        policy: C2SP tlog-policy file: whom an auditor trusts.
        work: working copy and caches; may be deleted at any time.
        seen: checkpoints that verifications on this machine have accepted.
        tokens: who may send to the endpoint of this store.
        bucket: where the evidence is, when `store` is only its home.
    """

    store: Path
    keys: Path
    policy: Path
    work: Path
    seen: Path
    tokens: Path
    bucket: Address | None = None

    @property
    def name(self) -> str:
        """The store as people call it."""
        return str(self.store if self.bucket is None else self.bucket)

    @classmethod
    def of(cls, store: Path, bucket: Address | None = None) -> Places:
        """The default neighbours of a store directory, or of a bucket's home."""
        store = store.absolute()
        return cls(
            store,
            store.with_name(store.name + ".keys"),
            store.with_name(store.name + ".policy"),
            store.with_name(store.name + ".work"),
            store.with_name(store.name + ".seen"),
            store.with_name(store.name + ".tokens"),
            bucket,
        )

    @classmethod
    def of_bucket(cls, bucket: Address) -> Places:
        """The home of a bucket and prefix, and its neighbours."""
        name = f"s3.{bucket.bucket}.{bucket.prefix.replace('/', '_')}".removesuffix(".")
        return cls.of(_homes() / name, bucket)


def _homes() -> Path:
    given = os.environ.get(HOME_VARIABLE)
    if given:
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "aircon"
