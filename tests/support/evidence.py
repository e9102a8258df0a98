"""A small sealed store with a tail, its policy, and short ways to damage and verify it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from support.stores import TestStore, chat

from logstore.formats.policy import Policy
from logstore.verify.findings import Finding, Report
from logstore.verify.verifier import verify_store


@dataclass
class Evidence(TestStore):
    """A store, the policy made when it was, and the checkpoints seen since."""

    trusted: Policy

    @property
    def seen_path(self) -> Path:
        return self.base / "evidence.seen"

    def verify(self, **options: object) -> Report:
        return verify_store(self.path, self.trusted, **options)  # type: ignore[arg-type]

    def files(self, *prefixes: str) -> list[str]:
        keys = (p.relative_to(self.path).as_posix() for p in self.path.rglob("*") if p.is_file())
        return sorted(key for key in keys if key.startswith(prefixes or ("",)))

    def one(self, prefix: str) -> str:
        """The first file below a prefix."""
        return self.files(prefix)[0]

    def edit(self, key: str, change: Callable[[bytes], bytes]) -> None:
        path = self.path / key
        mode = path.stat().st_mode
        path.chmod(0o644)
        path.write_bytes(change(path.read_bytes()))
        path.chmod(mode)

    def copy(self, base: Path) -> Evidence:
        shutil.copytree(self.base, base, dirs_exist_ok=True)
        return Evidence(base, self.trusted)


def make_evidence(base: Path, *, segments: int = 2, each: int = 4, tail: int = 3) -> Evidence:
    """A store with sealed segments and unsealed records, one group commit each."""
    base.mkdir(parents=True, exist_ok=True)
    with TestStore(base).create() as log:
        number = 0
        for _ in range(segments):
            for _ in range(each):
                log.append(chat(f"question {number}", f"user-{number % 3}", seq=number))
                number += 1
            log.seal()
        for _ in range(tail):
            log.append(chat(f"question {number}", f"user-{number % 3}", seq=number))
            number += 1
    return Evidence(base, TestStore(base).policy())


def named(report: Report, code: str) -> Finding:
    """The first finding with a code; fails with everything that was found."""
    for finding in report.findings:
        if finding.code == code:
            return finding
    raise AssertionError(f"no {code} among {report.found}")


def harmless(report: Report, *codes: str) -> bool:
    """Whether a report is clean but for notes with these codes."""
    return report.exit_code == 0 and report.codes() <= {*codes, "sequence-gap"}


def flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def write_flipped(path: Path, at: int, mask: int) -> Callable[[], None]:
    """Flip bits of one byte in place; returns what flips them back."""
    fd = os.open(path, os.O_RDWR)
    byte = os.pread(fd, 1, at)
    os.pwrite(fd, bytes([byte[0] ^ mask]), at)

    def back() -> None:
        os.pwrite(fd, byte, at)
        os.close(fd)

    return back


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding)
    return found
