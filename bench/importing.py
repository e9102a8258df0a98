"""Importing foreign formats and our own lines into a log, end to end."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench import peers
from bench.report import Row, median
from bench.setting import Setting
from bench.workload import Bench, Load
from drills.sample.generate import generate
from logstore.capture.importing import import_files
from logstore.capture.importreport import ImportReport
from logstore.capture.importstate import ImportState

AIM = ">= 10,000/s"
_SHOWN = {"otlp.span+json": "OTLP JSON", "otlp.span": "OTLP protobuf", "litellm": "LiteLLM"}


def rows(setting: Setting) -> Iterator[Row]:
    """Every figure of importing."""
    own = setting.folder() / "log.jsonl"
    with own.open("wb") as file:
        file.writelines(Load(setting.sizes.sample).lines())
    yield _row(setting, "import, own JSON lines", [own])
    logs = setting.folder() / "logs"
    generate(setting.sizes.sample, 20261102, logs)
    everything = sorted(path for path in logs.rglob("*") if path.is_file())
    by_format: dict[str, list[Path]] = {}
    for path in everything:
        report = _import(setting, [path])[0]
        for name in report.files[0].formats:
            by_format.setdefault(name, []).append(path)
    for name, said in _SHOWN.items():
        if name in by_format:
            yield _row(setting, f"import, {said}", by_format[name])
    yield _row(setting, "import, every format of the sample", [logs])


def _import(setting: Setting, paths: list[Path]) -> tuple[ImportReport, float, float]:
    """(report, wall seconds, CPU seconds) of an import into a fresh log."""
    folder = setting.folder()
    store = Bench(folder)
    with store.create() as log:
        key = log.keys.purpose_key("imports")
        with closing(ImportState(store.base / "imports", key)) as state:
            wall, cpu = time.perf_counter(), time.process_time()
            report = import_files(log, paths, state=state, rejects_dir=folder / "rejects")
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    shutil.rmtree(folder)
    return report, wall, cpu


def _row(setting: Setting, what: str, paths: list[Path]) -> Row:
    ours, floor = [], []
    formats: Counter[str] = Counter()
    for _ in range(min(setting.sizes.runs, 3)):
        report, wall, _ = _import(setting, paths)
        ours.append(report.taken / wall)
        chain = _chain_of_lines(setting, paths)
        floor.append(report.taken / chain if chain else 0.0)
        formats.update({name: n for file in report.files for name, n in file.formats.items()})
    beside = "json.loads + SQLite chain of the same bytes"
    return Row(what, median(ours), "records/s", beside, median(floor), AIM)


def _chain_of_lines(setting: Setting, paths: list[Path]) -> float:
    """Seconds to parse the files as JSON lines and chain these in SQLite; 0 if they are not."""
    start = time.perf_counter()
    found: list[bytes] = []
    for path in paths:
        if path.is_dir():
            return 0.0
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        lines = data.splitlines()
        try:
            found += [line for line in lines if line and json.loads(line) is not None]
        except ValueError:
            return 0.0
    peers.sqlite_chain(setting.folder(), found, 1024)
    return time.perf_counter() - start
