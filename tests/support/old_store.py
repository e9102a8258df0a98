"""A store of which a part has outlived its retention."""

from __future__ import annotations

import secrets

from support.bucket_stores import KEPT, BucketStore
from support.clocks import DAY_US, Shifted
from support.stores import OPTIONS, ORIGIN, TestStore, chat

from logstore.disk import Disk
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.storage.clock import Clock
from logstore.storage.home import make_home, make_writer
from logstore.storage.log import Log
from logstore.storage.logfile import Retention
from logstore.verify.findings import Report
from logstore.verify.verifier import verify_store

LONG_AGO = Shifted(-300 * DAY_US)
SHORT = Retention(index_days=4_000, body_days=200)


class OldStore(TestStore):
    """A store whose first segments have outlived their retention."""

    def make(self, *, segments: int = 2, clock: Clock = LONG_AGO) -> None:
        keys = KeyStore.create(self.keys_path, NoHolder(), origin=ORIGIN)
        made = Log.create(self.path, keys, retention=SHORT, options=OPTIONS, clock=clock)
        with made as log:
            for number in range(segments):
                log.append(chat(f"old {number}", "ada"))
                log.seal()
        with self.open() as log:
            log.append(chat("of today", "ada"))
            log.seal()

    def verify(self) -> Report:
        return verify_store(self.path, self.policy(), workers=1)


def make_in_bucket(store: BucketStore, clock: Clock) -> None:
    """Two segments in a bucket, content kept 200 days, by a machine with that clock."""
    make_home(store.path, store.remote, Disk(immutable=False))
    make_writer(store.path, secrets.token_hex(8), "COMPLIANCE", Disk(immutable=False))
    keys = KeyStore.create(store.keys_path, NoHolder(), origin=ORIGIN)
    made = Log.create(store.path, keys, retention=KEPT, options=OPTIONS, clock=clock)
    with made as log:
        for number in range(2):
            log.append(chat(f"old {number}", "ada"))
            log.seal()
