"""Floors and peers, measured beside ours: plain writes, SQLite, OpenSSL, ripgrep, audit packages."""

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
from pathlib import Path

PEERS = ("noirebox==0.24.0", "projectair==1.3.1")


def plain_json(folder: Path, rows: list[dict[str, object]]) -> float:
    """json.dumps + write + fdatasync per record: the floor of a lone synchronous caller."""
    fd = os.open(folder / "plain.jsonl", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    start = time.perf_counter()
    for row in rows:
        os.write(fd, json.dumps(row).encode() + b"\n")
        os.fdatasync(fd)
    spent = time.perf_counter() - start
    os.close(fd)
    return len(rows) / spent


def sqlite_chain(folder: Path, rows: list[dict[str, object]], group: int) -> float:
    """A SHA-256 hash chain in SQLite, WAL, synchronous=FULL, one transaction per group."""
    path = folder / "chain.sqlite"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE log(seq INTEGER PRIMARY KEY, prev BLOB, hash BLOB, body BLOB)")
    previous = bytes(32)
    start = time.perf_counter()
    for at in range(0, len(rows), group):
        db.execute("BEGIN")
        for n, row in enumerate(rows[at : at + group], at):
            data = json.dumps(row).encode()
            digest = hashlib.sha256(previous + data).digest()
            db.execute("INSERT INTO log VALUES (?,?,?,?)", (n, previous, digest, data))
            previous = digest
        db.execute("COMMIT")
    spent = time.perf_counter() - start
    db.close()
    return len(rows) / spent


def sqlite_verify(folder: Path) -> float:
    """Verifying that chain, records per second."""
    db = sqlite3.connect(folder / "chain.sqlite")
    previous, count = bytes(32), 0
    start = time.perf_counter()
    for prev, digest, data in db.execute("SELECT prev, hash, body FROM log ORDER BY seq"):
        if prev != previous or hashlib.sha256(prev + data).digest() != digest:
            raise AssertionError("the chain does not hold")
        previous, count = digest, count + 1
    spent = time.perf_counter() - start
    db.close()
    return count / spent


def openssl_sha256(cores: int) -> float:
    """`openssl speed sha256` with 1 MiB blocks on all cores, bytes per second; 0 without openssl."""
    if shutil.which("openssl") is None:
        return 0.0
    done = subprocess.run(
        ["openssl", "speed", "-multi", str(cores), "-seconds", "2", "-bytes", "1048576",
         "-evp", "sha256"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = re.findall(r"([\d.]+)k\s*$", done.stdout, re.MULTILINE)
    return float(found[-1]) * 1000 if found else 0.0


def ripgrep_ms(path: Path, needle: str, runs: int = 3) -> float:
    """Warm `rg --mmap -c -F` over a JSONL file, milliseconds; 0 without ripgrep."""
    if shutil.which("rg") is None:
        return 0.0
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(["rg", "--mmap", "-c", "-F", needle, str(path)], stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best * 1000


_PEER_CODE = """
import sys, time, tempfile, os
name, n = sys.argv[1], int(sys.argv[2])
folder = tempfile.mkdtemp()
text = 'x' * 2000
if name == 'noirebox':
    import noirebox
    box = noirebox.NoireBox(os.path.join(folder, 'box.db')) if hasattr(noirebox, 'NoireBox') else None
    act = box.record
"""


def peer_environment(folder: Path) -> Path:
    """A virtual environment of their own for the audit-log peers; returns its python."""
    python = folder / "peers" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "peers"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    return python
