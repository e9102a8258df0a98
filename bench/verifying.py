"""Verifying: whole files beside `openssl speed`, every record beside a SQLite chain."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator

from bench import peers
from bench.report import Row, median, turns
from bench.setting import Setting
from bench.workload import SEAL_BYTES, Bench, Load
from logstore.verify.verifier import verify_store


def rows(setting: Setting) -> Iterator[Row]:
    """Quick and full."""
    corpus, cores = setting.corpus, os.cpu_count() or 1
    quick, floor = turns(
        [
            lambda: _rate(corpus.bench, quick=True)[0],
            lambda: peers.openssl_sha256(cores, setting.sizes.seconds) / 1e6,
        ],
        setting.sizes.runs,
    )
    beside = f"openssl speed sha256 x {cores}"
    yield Row("verify --quick (warm)", quick, "MB/s", beside, floor, ">= 0.8x")
    small = Bench(setting.folder())
    load = Load(setting.sizes.batch)
    with small.create(auto_seal=SEAL_BYTES) as log:
        deque(log.append_many(load.prepared(), group=2048), maxlen=0)
        log.seal()
    chain = setting.folder()
    peers.sqlite_chain(chain, list(load.lines()), 1024)
    full, floor = turns(
        [lambda: _rate(small, quick=False)[1], lambda: peers.sqlite_verify(chain)],
        setting.sizes.runs,
    )
    beside = "SQLite chain verify"
    yield Row("verify, every record", full, "records/s", beside, floor, ">= 3x; 150,000/s")
    large = median(_rate(corpus.bench, quick=False)[1] for _ in range(1))
    yield Row(
        "verify, every record, large store", large, "records/s", beside, floor, ">= 3x; 150,000/s"
    )


def _rate(bench: Bench, *, quick: bool) -> tuple[float, float]:
    """(megabytes, records) per second of a verification, checked to have succeeded."""
    policy = bench.policy()
    start = time.perf_counter()
    report = verify_store(bench.store, policy, quick=quick)
    seconds = time.perf_counter() - start
    if report.exit_code != 0:
        raise AssertionError(report.findings)
    return report.size_bytes / seconds / 1e6, report.records / seconds
