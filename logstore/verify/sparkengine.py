"""Checking segments on an Apache Spark cluster: the same checks, on more machines.

Rules:

1. A job names objects and carries no key, and no key is ever sent: content is not opened there.
   Executors reach the store with what they are set up with themselves.
2. What an executor finds wrong is looked at once more on this machine, so a cluster that can not
   see the store, or is set up wrongly, finds no tampering where there is none.
3. That all is well is taken from executors on trust, as from this machine; reports say so. They
   must run the same release of aircon, or nothing is judged.
4. Everything else, seals, signatures, tree, tail, locks, is judged here as always.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logstore.errors import AirconError, CannotJudge, UsageError
from logstore.verify.segmentcheck import SegmentJob, SegmentOutcome, check_segment

_ROUNDS = 4  # segments per core of the cluster that are under way before the next are sent
_CAUSE = re.compile(r"^\S*(?:Error|Exception|Exit)\b.*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Checks segments with PySpark's RDDs; implements `segmentpool.Engine`.

    Attributes:
        master: the cluster's address as Spark takes it; None for what Spark is set up with, as
            under ``spark-submit``.

    Raises:
        UsageError: PySpark is not installed.
    """

    master: str | None = None

    def __post_init__(self) -> None:
        if importlib.util.find_spec("pyspark") is None:
            raise UsageError(
                "verifying on a cluster needs PySpark, which is not installed",
                todo="Install it with `pip install 'aircon-console[spark]'`, in the cluster's"
                " version.",
            )

    @property
    def unproven(self) -> str:
        """See `segmentpool.Engine`."""
        return "that the machines of the cluster, which checked the segments, told the truth"

    def outcomes(
        self, jobs: Sequence[SegmentJob], keys: Mapping[str, bytes] | None
    ) -> Iterator[SegmentOutcome]:
        """See `segmentpool.Engine`.

        Raises:
            UsageError: keys of content were given; they are not sent anywhere.
            CannotJudge: the cluster can not be used, or runs another release of aircon.
        """
        if keys is not None:
            raise UsageError(
                "keys of content are never sent to a cluster",
                todo="Open contents on this machine: `aircon verify --content` without --engine.",
            )
        if not jobs:
            return
        with _told(), _context(self.master) as context:
            size = max(context.defaultParallelism, 1) * _ROUNDS
            for start in range(0, len(jobs), size):
                batch = jobs[start : start + size]
                tasks = [(_release(), job) for job in batch]
                answers = context.parallelize(tasks, len(tasks)).map(check_there).collect()
                for job, answer in zip(batch, answers, strict=True):
                    yield _judged(job, answer)


def check_there(task: tuple[str, SegmentJob]) -> SegmentOutcome | AirconError:
    """Check one segment on an executor; errors for people are handed back whole."""
    release, job = task
    if release != _release():
        return CannotJudge(
            f"the cluster runs aircon {_release()}, this machine {release}",
            todo="Install the same release on both.",
        )
    try:
        return check_segment(job)
    except AirconError as error:
        return error


def _judged(job: SegmentJob, answer: SegmentOutcome | AirconError) -> SegmentOutcome:
    if isinstance(answer, AirconError):
        raise answer
    return check_segment(job) if answer.findings else answer


def _release() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("aircon-console")
    except PackageNotFoundError:
        return "(not installed)"


@contextlib.contextmanager
def _context(master: str | None) -> Iterator[Any]:
    """A Spark context: the one that runs, else one that ends with the block."""
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    builder = SparkSession.builder.appName("aircon verify")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if master is not None:
        builder = builder.master(master)
        if master.startswith("local"):  # else workers are whatever python3 is on the path
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = builder.getOrCreate()
    try:
        yield session.sparkContext
    finally:
        if running is None:
            session.stop()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        causes = _CAUSE.findall(str(error)) or [str(error)]
        raise CannotJudge(
            f"the cluster could not check the segments: {causes[-1].strip()[:300]}",
            kept="Nothing was found, in either direction.",
            todo="Check Spark's own log; aircon must be installed where its executors run.",
        ) from error
