"""Engines beside aircon: the packages of `make lake` on top of this environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.missing import missing
from support.s3_servers import Server

PROGRAMS = Path(__file__).parent / "programs"

_SHORT_LIVED = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"  # each Java lives for seconds
)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(moto_server: Server, s3_credentials: None) -> Server:
    """For stores in buckets; what is asked here needs no lock to be enforced."""
    return moto_server


@pytest.fixture(scope="session")
def lake_packages() -> Path:
    """Where they are; without them CI fails and everybody else skips."""
    main = Path(sys.prefix)
    lake = main.with_name(f"{main.name}-lake")
    if not (lake / ".installed").exists():
        missing("Iceberg and Spark are not installed: run `make lake`")
    (packages,) = lake.glob("lib/python*/site-packages")
    return packages


@pytest.fixture
def with_lake(lake_packages: Path, tmp_path: Path) -> Run:
    """Run a program, or a module with -m, as somebody who installed them would."""
    home = tmp_path / "home"
    home.mkdir()

    def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
        aws = {name: text for name, text in os.environ.items() if name.startswith("AWS_")}
        root = Path(__file__).resolve().parents[2]
        return subprocess.run(
            [sys.executable, *map(str, words)],
            env={
                "PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(tmp_path),
                "PYTHONPATH": f"{root}{os.pathsep}{lake_packages}",
                "SPARK_LOCAL_IP": "127.0.0.1", "JDK_JAVA_OPTIONS": _SHORT_LIVED, **aws, **more,
            },
            cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def with_spark(with_lake: Run) -> Run:
    """The same, where there is a Java for Spark."""
    if shutil.which("java") is None:
        missing("there is no Java for Spark: run `make lake`")
    return with_lake


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a program printed."""
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found
