"""Opened bodies to Arrow batches, in this process or in a few worker processes."""

from __future__ import annotations

import functools
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from logstore.formats.body import Body
from logstore.query.columns import content_schema
from logstore.query.flatten import Decoders, row_of
from logstore.query.rows import ContentState

if TYPE_CHECKING:
    import pyarrow as pa

Opened = tuple[ContentState, Body | None]
"""What became of one record's body."""


def content_batch(opened: Sequence[Opened], decoders: Decoders | None = None) -> pa.RecordBatch:
    """Decode bodies into the columns of `content_schema`."""
    import pyarrow as pa

    if decoders is None:
        decoders = _registered()
    rows = [row_of(body, state, decoders) for state, body in opened]
    try:
        return pa.RecordBatch.from_pylist(rows, schema=content_schema())
    except UnicodeEncodeError:
        return pa.RecordBatch.from_pylist([_clean(row) for row in rows], schema=content_schema())


def _registered() -> Decoders:
    from logstore.capture.registry import DECODERS

    return DECODERS


def _clean(value: Any) -> Any:
    """Lone surrogates, which no UTF-8 can carry, become question marks of the same length."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list) else value


class InProcess:
    """Decodes where it is called."""

    def __init__(self, decoders: Decoders | None = None) -> None:
        self._decoders = decoders

    def batches(self, groups: Iterable[Sequence[Opened]]) -> Iterator[pa.RecordBatch]:
        """One batch per group, in order."""
        for group in groups:
            yield content_batch(group, self._decoders)

    def close(self) -> None:
        """Nothing to release."""


class InWorkers:
    """Decodes in worker processes; plaintext travels through pipes only."""

    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        self._ahead = workers + 2

    def batches(self, groups: Iterable[Sequence[Opened]]) -> Iterator[pa.RecordBatch]:
        """One batch per group, in order, a few groups ahead of the caller."""
        waiting: deque[Future[bytes]] = deque()
        for group in groups:
            waiting.append(self._pool.submit(_encoded_batch, group))
            if len(waiting) > self._ahead:
                yield _read(waiting.popleft().result())
        while waiting:
            yield _read(waiting.popleft().result())

    def close(self) -> None:
        """Stop the workers; what they have not started is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _encoded_batch(opened: Sequence[Opened]) -> bytes:
    import pyarrow as pa

    batch = content_batch(opened)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _read(data: bytes) -> pa.RecordBatch:
    import pyarrow as pa

    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()


@functools.cache
def processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
