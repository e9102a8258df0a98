"""Peak memory of append, import and verification at two sizes: it must not grow with the log."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.report import Row
from bench.setting import Setting
from bench.workload import SEAL_BYTES, Bench, Load

_JOBS = ("append", "import", "verify")


def rows(setting: Setting) -> Iterator[Row]:
    """The larger size beside the smaller one."""
    small, large = setting.sizes.memory
    stores = {size: setting.folder() for size in (small, large)}
    for job in _JOBS:
        peaks = [_peak(job, stores[size], size) for size in (small, large)]
        what = f"peak memory, {job}, {large:,}"
        yield Row(what, peaks[1], "MB", f"the same at {small:,}", peaks[0], "flat")


def _peak(job: str, folder: Path, size: int) -> float:
    command = [sys.executable, "-m", "bench.memory", job, str(folder), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def peak_mb() -> float:
    """Largest resident size of this process; `ru_maxrss` would include its parent's at the fork."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmHWM")


def _append(folder: Path, size: int) -> None:
    with Bench(folder).create(auto_seal=SEAL_BYTES) as log:
        deque(log.append_many(Load(size).prepared(), group=1024), maxlen=0)
        log.seal()


def _import(folder: Path, size: int) -> None:
    from logstore.capture.importing import import_files
    from logstore.capture.importstate import ImportState

    lines = folder / "log.jsonl"
    with lines.open("wb") as file:
        file.writelines(Load(size).lines())
    into = Bench(folder / "imported")
    into.base.mkdir()
    with into.create(auto_seal=SEAL_BYTES) as log:
        state = ImportState(into.base / "imports", log.keys.purpose_key("imports"))
        with closing(state):
            import_files(log, [lines], state=state, rejects_dir=into.base / "rejects")


def _verify(folder: Path, _size: int) -> None:
    from logstore.verify.verifier import verify_store

    bench = Bench(folder)
    # In this process alone: the peak of a worker would not be seen.
    if verify_store(bench.store, bench.policy(), workers=1).exit_code:
        raise AssertionError("the store does not verify")


if __name__ == "__main__":
    {"append": _append, "import": _import, "verify": _verify}[sys.argv[1]](
        Path(sys.argv[2]), int(sys.argv[3])
    )
    print(peak_mb())
