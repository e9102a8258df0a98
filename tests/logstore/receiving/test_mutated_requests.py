"""Twenty thousand requests that are almost right: each is answered, and nothing is dropped."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.captured import pieces_of
from support.inside import Inside, inside
from support.mutating import Mutator
from support.otlp_made import as_protobuf, log, span
from support.serving import aircon

from logstore.capture.decoders.otlp_identity import TraceIdentities
from logstore.capture.items import Item
from logstore.formats.body import Body
from logstore.receiving.app import DOORS
from logstore.receiving.arriving import Arrival, pieces

ROOT = Path(__file__).parents[3]
REQUESTS = 20_000
AT_ONCE = 200
LARGEST = 12_000
DOOR = {"otlp.span": "/v1/traces", "otlp.log": "/v1/logs"}
KIND = {True: "application/json", False: "application/x-protobuf"}


@dataclass(frozen=True)
class Shape:
    """A request's door and what it carries."""

    path: str
    is_json: bool
    body: bytes

    @property
    def arrival(self) -> Arrival:
        """The same as the endpoint sees it."""
        return Arrival(dict(DOORS)[self.path], "live/local", self.body, is_json=self.is_json)


def shapes() -> list[Shape]:
    """Requests as recorded, of every format that is taken, and some made by hand."""
    found: dict[str, list[Shape]] = {}
    for path in sorted((ROOT / "sample-logs").rglob("*")):
        if path.is_file() and path.suffix != ".md" and "_input" not in path.name:
            for piece in pieces_of(path):
                if isinstance(piece, Item) and len(piece.raw) <= LARGEST:
                    name, _, json = piece.format.partition("+")
                    door = DOOR.get(name, "/v1/records")
                    shape = Shape(door, bool(json) or door == "/v1/records", piece.raw)
                    found.setdefault(piece.format, []).append(shape)
    made = [
        Shape("/v1/logs", is_json=False, body=as_protobuf(log({"gen_ai.request.model": "m"}))),
        Shape("/v1/traces", is_json=False, body=as_protobuf(span({"a": [1, {"b": b"c"}]})) * 3),
    ]
    assert {"otlp.span", "otlp.span+json", "litellm", "aircon", "openai.pair"} <= found.keys()
    return made + [shape for each in found.values() for shape in each[:30]]


def mutated(seed: int) -> Iterator[Shape]:
    """So many requests made wrong."""
    seeds = shapes()
    mutator = Mutator(seed, [shape.body for shape in seeds])
    for _ in range(REQUESTS):
        shape = mutator.random.choice(seeds)
        is_json = shape.is_json if mutator.random.random() < 0.95 else not shape.is_json
        yield Shape(shape.path, is_json or shape.path == "/v1/records", mutator.any(shape.body))


async def send(running: Inside, shape: Shape, *, packed: bool) -> int:
    headers = {"content-type": KIND[shape.is_json]}
    if packed:
        headers["content-encoding"] = "gzip"
    body = gzip.compress(shape.body, 1) if packed else shape.body
    answer = await running.client.post(shape.path, content=body, headers=headers)
    if answer.status_code == 200 and shape.path == "/v1/records":
        told = answer.json()
        assert told["stored"] + told["rejected"] == len(told["indexes"])
        assert told["indexes"].count(None) == told["rejected"]
    return answer.status_code


def kept(running: Inside) -> Counter[bytes]:
    """Evidence of every record on the log, how often it is there."""
    reader = running.store.reader()
    found: Counter[bytes] = Counter()
    for _, _, body in reader.contents(0, reader.size):
        if isinstance(body, Body):
            found[bytes(body.raw)] += 1
    return found


@pytest.mark.slow
async def test_almost_right_requests_are_answered_and_kept(tmp_path: Path) -> None:
    codes: Counter[int] = Counter()
    due: Counter[bytes] = Counter()
    seen: set[Shape] = set()
    async with inside(tmp_path) as running:
        waiting: list[Shape] = []
        for number, shape in enumerate(mutated(seed=3), 1):
            waiting.append(shape)
            if shape.path == "/v1/records" or shape not in seen:  # spans sent again are known
                seen.add(shape)
                found = pieces(shape.arrival, shape.body, TraceIdentities())
                due.update(piece.raw for piece in found)
            if len(waiting) == AT_ONCE or number == REQUESTS:
                sent = (
                    send(running, each, packed=place % 7 == 0) for place, each in enumerate(waiting)
                )
                codes.update(await asyncio.gather(*sent))
                waiting = []
        assert running.faults == 0, running.events("fault")
        assert running.endpoint.backlog.size == 0
    assert codes.keys() == {200, 400}, codes
    assert codes.total() == REQUESTS
    lost = due - kept(running)
    assert not lost, (lost.total(), next(iter(lost)))
    store = running.store
    store.path.with_suffix(".policy").write_text(store.policy().text())
    checked = aircon("verify", "--content", "--store", store.path, "--insecure-no-passphrase")
    assert checked.returncode == 0, checked.stdout + checked.stderr
