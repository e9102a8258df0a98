"""Floors and peers beside ours: plain writes, SQLite, OpenSSL, ripgrep, audit packages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.report import median, spent

PACKAGES = ("noirebox==0.24.0", "projectair==1.3.1")
"""Audit-log packages that are measured with ``--peers``."""


def plain_json(folder: Path, rows: list[dict[str, object]]) -> float:
    """json.dumps + write + fdatasync per record: the floor of a lone synchronous caller."""
    fd = os.open(folder / "plain.jsonl", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    start = time.perf_counter()
    for row in rows:
        os.write(fd, json.dumps(row).encode() + b"\n")
        os.fdatasync(fd)
    seconds = time.perf_counter() - start
    os.close(fd)
    return len(rows) / seconds


def sqlite_chain(
    folder: Path, rows: Sequence[bytes] | Sequence[dict[str, object]], group: int
) -> tuple[float, float]:
    """A SHA-256 hash chain in SQLite, WAL, synchronous=FULL, one transaction per group.

    Args:
        folder: where ``chain.sqlite`` goes; must not have one.
        rows: ready bytes, or objects that are serialised with json.dumps on the way in.
        group: records per transaction.

    Returns:
        Records per second of wall time and of CPU time; 0 without rows.
    """
    if not rows:
        return 0.0, 0.0
    with closing(sqlite3.connect(folder / "chain.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE log(seq INTEGER PRIMARY KEY, prev BLOB, hash BLOB, body BLOB)")
        wall, cpu = time.perf_counter(), time.process_time()
        _fill(db, rows, group)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return len(rows) / wall, len(rows) / cpu


def _fill(
    db: sqlite3.Connection, rows: Sequence[bytes] | Sequence[dict[str, object]], group: int
) -> None:
    previous = bytes(32)
    for at in range(0, len(rows), group):
        db.execute("BEGIN")
        for n, row in enumerate(rows[at : at + group], at):
            data = row if isinstance(row, bytes) else json.dumps(row).encode()
            digest = hashlib.sha256(previous + data).digest()
            db.execute("INSERT INTO log VALUES (?,?,?,?)", (n, previous, digest, data))
            previous = digest
        db.execute("COMMIT")


def sqlite_verify(folder: Path) -> float:
    """Verifying that chain, records per second."""
    with closing(sqlite3.connect(folder / "chain.sqlite")) as db:
        previous, count = bytes(32), 0
        start = time.perf_counter()
        for prev, digest, data in db.execute("SELECT prev, hash, body FROM log ORDER BY seq"):
            if prev != previous or hashlib.sha256(prev + data).digest() != digest:
                raise AssertionError("the chain does not hold")
            previous, count = digest, count + 1
        seconds = time.perf_counter() - start
    return count / seconds


def openssl_sha256(cores: int, seconds: int) -> float:
    """`openssl speed sha256` with 1 MiB blocks on all cores, bytes per second; 0 without it."""
    if shutil.which("openssl") is None:
        return 0.0
    done = subprocess.run(
        ["openssl", "speed", "-multi", str(cores), "-seconds", str(seconds),
         "-bytes", "1048576", "-evp", "sha256"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.findall(r"([\d.]+)k\s*$", done.stdout, re.MULTILINE)
    return float(found[-1]) * 1000 if found else 0.0


def ripgrep_ms(path: Path, needle: str, *options: str, runs: int = 3) -> float:
    """Warm `rg --mmap -c` over a file, milliseconds, median; 0 without ripgrep."""
    if shutil.which("rg") is None:
        return 0.0
    command = ["rg", "--mmap", "-c", *options, "-e", needle, str(path)]

    def search() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # 1 means: no match

    search()
    return median(spent(search) for _ in range(runs)) * 1000


def no_ripgrep() -> str:
    """What a row says in place of ripgrep's figure where that is not installed."""
    return "ripgrep" if shutil.which("rg") else "ripgrep is not installed"


_PEER_CODE = """
import os, sys, tempfile, time
name, count = sys.argv[1], int(sys.argv[2])
folder = tempfile.mkdtemp(dir=sys.argv[3])
prompt, answer = 'what is your policy? ' * 48, 'our policy is this. ' * 50
if name == 'noirebox':
    from noirebox.chain import KeyPair
    from noirebox.store import EventStore
    store, key = EventStore(os.path.join(folder, 'box.db')), KeyPair.generate()
    payload = {'user': 'user1', 'model': 'support-1.5.0', 'prompt': prompt, 'answer': answer}
    act = lambda: store.append('interaction', payload, key)
else:
    from airsdk import AIRRecorder
    box = AIRRecorder(os.path.join(folder, 'air.log'))
    act = lambda: box.llm_end(response=prompt + answer)
start = time.perf_counter()
for _ in range(count):
    act()
print(count / (time.perf_counter() - start))
"""


def packages(folder: Path, count: int) -> dict[str, float]:
    """Records per second of each audit-log package, in an environment of their own."""
    python = folder / "peers" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "peers"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    found = {}
    for package in PACKAGES:
        command = [str(python), "-c", _PEER_CODE, package.split("=")[0], str(count), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[package] = float(done.stdout.split()[-1])
    return found
