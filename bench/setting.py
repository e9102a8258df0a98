"""What the benches share: sizes, temporary directories, and one large sealed store.

The large store is built once in a run, when a bench first needs it, and is removed with the rest.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from bench.workload import SEAL_BYTES, Bench, Load
from logstore.disk import set_immutable
from logstore.query.engine import Engine
from logstore.query.explorer import Explorer

SHARED = 20
"""Every so many records one tells of the call before it again."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        lone: records of one synchronous caller.
        shared: records of all concurrent callers together.
        batch: records of batch appends, seals and small verifications.
        sample: interactions of the foreign formats.
        corpus: records of the large store.
        memory: the two sizes whose peak memory is compared.
        runs: repetitions of what is interleaved with a peer.
        seconds: how long `openssl speed` runs.
        load: seconds of each load on the endpoint.
    """

    lone: int = 1_500
    shared: int = 20_000
    batch: int = 100_000
    sample: int = 20_000
    corpus: int = 1_000_000
    memory: tuple[int, int] = (100_000, 400_000)
    runs: int = 5
    seconds: int = 3
    load: int = 20


QUICK = Sizes(200, 2_000, 8_000, 2_000, 20_000, (10_000, 20_000), 1, 1, 3)
"""Sizes that show whether everything works; their figures say little."""


class Setting:
    """One run of the benches.

    Args:
        sizes: how much is measured.
        peers: also install and measure the audit-log packages.

    Attributes:
        base: a directory of this run, removed by `close`.
    """

    def __init__(self, sizes: Sizes, *, peers: bool) -> None:
        self.sizes = sizes
        self.peers = peers
        # Not the system's temporary directory where that is memory: a flush must reach a disk.
        self.base = Path(tempfile.mkdtemp(prefix="aircon-bench-", dir=_disk()))
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for path in self.base.rglob("*"):
            if path.is_file() and not path.is_symlink():
                set_immutable(path, on=False)  # a store's own files, where it could protect them
        shutil.rmtree(self.base, ignore_errors=True)

    def folder(self) -> Path:
        """A fresh directory."""
        self._number += 1
        path = self.base / f"{self._number:04d}"
        path.mkdir()
        return path

    @cached_property
    def corpus(self) -> Corpus:
        """The large store."""
        return Corpus(self.folder(), Load(self.sizes.corpus), self._stack)

    @cached_property
    def shared_corpus(self) -> Corpus:
        """As large a store in which a tenth of the records shares its call with another one."""
        return Corpus(self.folder(), Load(self.sizes.corpus, shared=SHARED), self._stack)


class Corpus:
    """A large sealed store with the JSON lines it was made from.

    Args:
        folder: where it goes.
        load: what goes into it.
        stack: closes what is opened.

    Attributes:
        bench: its store.
        jsonl: the lines, for ripgrep and other peers.
        records: how many.
    """

    def __init__(self, folder: Path, load: Load, stack: ExitStack) -> None:
        self.bench = Bench(folder)
        self.jsonl = folder / "log.jsonl"
        self.records = load.records
        self._stack = stack
        with self.bench.create(auto_seal=SEAL_BYTES) as log:
            deque(log.append_many(load.prepared(), group=2048), maxlen=0)
            log.seal()
        (folder / "evidence.policy").write_text(self.bench.policy().text())
        with self.jsonl.open("wb") as file:
            file.writelines(load.lines())

    @cached_property
    def _opened(self) -> tuple[Engine, float]:
        start = time.perf_counter()
        engine = Engine.open(self.bench.reader(), work=self.bench.base / "evidence.work")
        self._stack.callback(engine.close)
        return engine, time.perf_counter() - start

    @property
    def engine(self) -> Engine:
        """Its engine, with the working copy built."""
        return self._opened[0]

    @property
    def build_seconds(self) -> float:
        """How long building the working copy took."""
        return self._opened[1]

    @cached_property
    def explorer(self) -> Explorer:
        """Questions over it."""
        return Explorer(self.engine)


def _disk() -> str | None:
    return "/var/tmp" if Path("/var/tmp").is_dir() else None
