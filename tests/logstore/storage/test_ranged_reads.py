"""One record of a large segment in a bucket: little is fetched, and nothing of it is believed."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from support.bucket_stores import BucketStore, Network, new_store
from support.s3_servers import CREDENTIALS, Server
from support.stores import chat

from logstore.errors import FormatError, KeyDestroyed, NotFound, StoreAway, TamperingFound
from logstore.formats.body import Body
from logstore.formats.pins import ObjectPin
from logstore.storage import bucketblobs, indexing, rangedparquet, segment
from logstore.storage.bodies import Unreadable
from logstore.storage.reader import LogReader
from logstore.verify.proving import check, prove

SEALED = (5000, 6000)
PLACES = [0, 1023, 1024, 4900, 5001, 6100, 8000, 10_900]
"""Records at edges of blocks, row groups and segments."""


@pytest.fixture(scope="module")
def store(moto_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketStore]:
    """Two segments whose objects are worth reading in parts; here they are rather small for it."""
    words = random.Random(5)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setattr(indexing, "ROW_GROUP", 1024)
        patch.setattr(segment, "_BODY_ROW_GROUP", 2**18)
        patch.setattr(segment, "_PART_BYTES", 2**14)  # so that a person has several blocks
        patch.setattr(bucketblobs, "WORTH_PARTS", 2**18)
        made = new_store(moto_server, tmp_path_factory.mktemp("ranged"), patch)
        with made.create() as log:
            for count in SEALED:
                texts = (f"{n} {words.randbytes(300).hex()}" for n in range(count))
                list(log.append_many(chat(t, *people(n)) for n, t in enumerate(texts)))
                log.seal()
        yield made


def people(number: int) -> list[str]:
    """Whom a record concerns: every seventh two of them."""
    one = [f"person {number % 90}"]
    return [*one, f"person {number % 50}"] if number % 7 == 0 else one


@pytest.fixture
def network(store: BucketStore) -> Iterator[Network]:
    found: Network = store.network  # type: ignore[attr-defined]
    yield found
    found.calls.clear()


@pytest.fixture
def wire(network: Network) -> Wire:
    return Wire(network)


@pytest.fixture
def reader(store: BucketStore, tmp_path: Path) -> LogReader:
    """On a machine that has nothing but the bucket's address, the policy and the keys."""
    return cold(store, tmp_path)


def cold(store: BucketStore, base: Path) -> LogReader:
    home = store.elsewhere(base / "cold").home
    return LogReader.open(home, policy=store.policy(), keys=store.keys())


class Wire:
    """What is fetched of sealed objects, and who meddles with it.

    Attributes:
        ranges: bytes of each answer to a request for a range.
        wholes: names of objects that were asked for whole.
        meddle: changes an answer, given the request.
    """

    def __init__(self, network: Network) -> None:
        self.ranges: list[int] = []
        self.wholes: list[str] = []
        self.meddle: Callable[[dict[str, Any], dict[str, Any], bytes], bytes] = lambda *_: b""
        network.calls["get_object"] = self._get

    def _get(self, real: Any, **asked: Any) -> Any:
        answer = real(**asked)
        if not asked["Key"].endswith(".parquet"):
            return answer
        data = answer["Body"].read()
        if "Range" in asked:
            self.ranges.append(len(data))
        else:
            self.wholes.append(asked["Key"])
        data = self.meddle(asked, answer, data) or data
        return {**answer, "Body": io.BytesIO(data)}


def start_of(asked: dict[str, Any]) -> int:
    found = re.match(r"bytes=(\d+)-", asked.get("Range", "bytes=0-"))
    return int(found[1]) if found else 0


def in_kind(asked: dict[str, Any], kind: str) -> bool:
    return f"/{kind}/" in asked["Key"]


# -- what is fetched ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_a_record_is_the_same_as_in_the_whole_object(
    store: BucketStore, reader: LogReader, wire: Wire, place: int
) -> None:
    mine = store.reader()
    assert reader.leaves(place, 1) == mine.leaves(place, 1)
    assert list(reader.contents(place, 1)) == list(mine.contents(place, 1))
    assert reader.leaves(place, 40) == mine.leaves(place, 40)
    assert wire.wholes == []


def test_little_of_the_objects_is_fetched(reader: LogReader, wire: Wire) -> None:
    pin = reader.pins[1]
    assert pin.body is not None
    [(_, _, body)] = reader.contents(8000, 1)
    assert isinstance(body, Body)
    assert wire.wholes == []
    assert len(wire.ranges) == 4, "two footers, the leaves of a row group, the blocks of another"
    assert sum(wire.ranges) < (pin.index.size + pin.body.size) / 3


def test_what_is_near_is_not_fetched_again(reader: LogReader, wire: Wire) -> None:
    reader.leaves(8000, 1)
    fetched = len(wire.ranges)
    reader.leaves(8001, 3)
    assert len(wire.ranges) == fetched


def test_content_without_its_key_is_not_fetched(
    reader: LogReader, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def destroyed(_: str) -> Any:
        raise KeyDestroyed("on purpose")

    assert reader.keys is not None
    monkeypatch.setattr(reader.keys, "key", destroyed)
    [(_, _, body)] = reader.contents(8000, 1)
    assert body == Unreadable("destroyed")
    assert wire.wholes == []
    assert len(wire.ranges) == 2, "of the index object alone"


def test_a_leaf_that_names_no_key_is_left_to_the_whole_object(
    reader: LogReader, wire: Wire
) -> None:
    """Whoever has the log's key can sign such a leaf; `verify` names it."""
    [(_, leaf, _)] = reader.contents(8000, 1)
    assert leaf.body is not None
    assert reader.keys is not None
    odd = replace(leaf, body=replace(leaf.body, keys=[]))
    assert reader.ranged.bodies(reader.pins[1], [odd], reader.keys) is None


def test_a_proof_needs_no_whole_object(store: BucketStore, reader: LogReader, wire: Wire) -> None:
    for place in PLACES:
        result = check(prove(reader, place), store.policy())
        assert result.exit_code == 0
        assert result.leaf is not None
        assert result.leaf.index == place
    assert not any("/body/" in name for name in wire.wholes)


def test_a_record_is_found_by_its_id(reader: LogReader, store: BucketStore, wire: Wire) -> None:
    [(place, leaf, _)] = store.reader().contents(1500, 1)
    assert reader.find(leaf.id) == place
    assert wire.wholes == []


def test_that_there_is_no_such_record_is_said_only_after_reading_all(
    reader: LogReader, wire: Wire
) -> None:
    with pytest.raises(NotFound):
        reader.find("01900000-0000-7000-8000-000000000000")
    assert len(wire.wholes) == 2


def test_much_of_an_object_is_fetched_as_the_whole(reader: LogReader, wire: Wire) -> None:
    assert len(reader.leaves(0, reader.size)) == reader.size
    assert wire.ranges == []
    assert len(wire.wholes) == 2


def test_after_many_parts_the_whole_is_fetched_and_stays(
    reader: LogReader, network: Network, wire: Wire
) -> None:
    pin = reader.pins[1]
    for place in range(pin.first, pin.end, 512):
        reader.leaves(place, 1)
    assert wire.wholes == [f"logs/{pin.index.key}"]
    assert sum(wire.ranges) <= pin.index.size / 2
    with network.away():
        assert len(reader.leaves(pin.first, pin.count)) == pin.count


def test_what_is_kept_in_memory_is_bounded(
    reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstore.storage.rangedreads._KEPT", 1)
    for place in (100, 8000, 200, 8100):
        reader.leaves(place, 1)
    assert len(reader.ranged._open) == 1


def test_a_small_object_is_fetched_whole(
    reader: LogReader, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucketblobs, "WORTH_PARTS", 2**30)
    reader.leaves(100, 1)
    assert (len(wire.wholes), wire.ranges) == (1, [])


def test_nobody_waits_for_a_bucket_that_is_away(reader: LogReader, network: Network) -> None:
    with network.away(), pytest.raises(StoreAway):
        reader.leaves(100, 1)


# -- what is under a name in the bucket -----------------------------------------------------------


def test_versions_and_markers_above_are_not_seen(
    store: BucketStore, reader: LogReader, wire: Wire
) -> None:
    admin: Any = store.bucket.client
    for pin in objects(reader):
        place = {"Bucket": store.bucket.address.bucket, "Key": store.bucket.address.key(pin.key)}
        admin.put_object(**place, Body=b"a shadow over it" * 10_000)
        admin.delete_object(**place)
    mine = store.reader()
    assert list(reader.contents(8000, 2)) == list(mine.contents(8000, 2))
    assert wire.wholes == []


def objects(reader: LogReader) -> list[ObjectPin]:
    pin = reader.pins[1]
    assert pin.body is not None
    return [pin.index, pin.body]


# -- lies ------------------------------------------------------------------------------------------


def spoilt(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def other_bytes(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
    """Bytes all over the row groups are others; the footer is as it was."""
    if "Range" not in asked or data.endswith(b"PAR1"):
        return b""
    changed = bytearray(data)
    changed[::50] = bytes(each ^ 1 for each in data[::50])
    return bytes(changed)


def other_footer(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
    """Bytes of the footer are others."""
    if data.endswith(b"PAR1") and "Range" in asked:
        return data[:-900] + bytes(x ^ 85 for x in data[-900:-8]) + data[-8:]
    return b""


def no_footer(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
    return data[:-4] + b"EVIL" if "Range" in asked else b""


def long_footer(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
    return data[:-8] + b"\xff\xff\xff\x7fPAR1" if "Range" in asked else b""


def fewer(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
    """The object ends early."""
    return data[:-1] if "Range" in asked else b""


def another_place(asked: dict[str, Any], answer: dict[str, Any], _: bytes) -> bytes:
    if "Range" in asked:
        answer["ContentRange"] = "bytes 0-9/10"
    return b""


def another_version(asked: dict[str, Any], answer: dict[str, Any], _: bytes) -> bytes:
    if "Range" in asked:
        answer["VersionId"] = "another"
    return b""


LIES = [
    other_bytes, other_footer, no_footer, long_footer, fewer, another_place, another_version,
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("kind", ["index", "body"])
def test_a_lie_about_parts_is_found_out_and_the_whole_read(
    store: BucketStore, reader: LogReader, wire: Wire, kind: str, lie: Any
) -> None:
    mine = store.reader()
    wire.meddle = lambda asked, *answer: lie(asked, *answer) if in_kind(asked, kind) else b""
    assert list(reader.contents(8000, 1)) == list(mine.contents(8000, 1))
    assert reader.find(next(mine.contents(8100, 1))[1].id) == 8100
    assert check(prove(reader, 8000), store.policy()).exit_code == 0
    assert any(in_kind({"Key": name}, kind) for name in wire.wholes)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("kind", ["index", "body"])
def test_where_the_whole_is_changed_too_the_failure_is_that_of_the_whole(
    reader: LogReader, wire: Wire, kind: str, lie: Any
) -> None:
    def meddle(asked: dict[str, Any], answer: dict[str, Any], data: bytes) -> bytes:
        if not in_kind(asked, kind):
            return b""
        return lie(asked, answer, data) if "Range" in asked else spoilt(data, len(data) // 2)

    wire.meddle = meddle
    with pytest.raises(TamperingFound, match=rf"{kind}/.* is missing"):
        list(reader.contents(8000, 1))


def test_a_version_that_is_gone_is_said_to_be_missing(reader: LogReader, network: Network) -> None:
    def gone(real: Any, **asked: Any) -> Any:
        if in_kind(asked, "index"):
            asked["VersionId"] = "00000000-0000-0000-0000-000000000000"
        return real(**asked)

    network.calls["get_object"] = gone
    with pytest.raises(TamperingFound, match="is missing"):
        reader.leaves(8000, 1)


def test_a_server_that_knows_no_ranges_is_asked_for_one_only(
    store: BucketStore, reader: LogReader, network: Network
) -> None:
    asked_for: list[str] = []

    def whole(real: Any, **asked: Any) -> Any:
        if asked["Key"].endswith(".parquet"):
            asked_for.append(asked.pop("Range", ""))
        return real(**asked)

    network.calls["get_object"] = whole
    assert list(reader.contents(8000, 1)) == list(store.reader().contents(8000, 1))
    assert len([said for said in asked_for if said]) == 1
    assert len(asked_for) == 3


# -- objects that somebody has made up ------------------------------------------------------------


def serve(
    store: BucketStore, wire: Wire, pin: ObjectPin, change: Callable[[pa.Table], Any]
) -> None:
    """Parts come from a forgery of the same size; the whole is what was sealed."""
    table = pq.read_table(pa.BufferReader(store.bucket.get(pin.key, pin.version).data))
    forged = made_up(change(table), pin.size)
    assert len(forged) == pin.size

    def meddle(asked: dict[str, Any], _: Any, data: bytes) -> bytes:
        if "Range" not in asked or not asked["Key"].endswith(pin.key):
            return b""
        start = start_of(asked)
        return forged[start : start + len(data)]

    wire.meddle = meddle


def made_up(table: pa.Table, size: int, **how: Any) -> bytes:
    """A Parquet object as sealing lays it out; what it is too short stands before its footer."""
    sink = io.BytesIO()
    options: dict[str, Any] = {
        "compression": "zstd", "compression_level": 9, "use_dictionary": False,
        "store_schema": False, "row_group_size": 1024, **how,
    }  # fmt: skip
    pq.write_table(table, sink, **options)
    data = sink.getvalue()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return data[:footer] + bytes(max(size - len(data), 0)) + data[footer:]


def with_column(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    at = table.schema.get_field_index(name)
    values = pa.array(change(table.column(name).to_pylist()), table.schema.field(name).type)
    return table.set_column(at, table.schema.field(name), values)


def test_leaves_in_another_order_are_not_taken(
    store: BucketStore, reader: LogReader, wire: Wire
) -> None:
    serve(store, wire, reader.pins[1].index, lambda t: with_column(t, "leaf", lambda v: v[::-1]))
    assert reader.leaves(8000, 1) == store.reader().leaves(8000, 1)
    assert len(wire.wholes) == 1


def test_rows_that_were_taken_out_are_missed(
    store: BucketStore, reader: LogReader, wire: Wire
) -> None:
    serve(store, wire, reader.pins[1].index, lambda t: pa.concat_tables([t[:900], t[901:]]))
    assert reader.leaves(8000, 1) == store.reader().leaves(8000, 1)
    assert len(wire.wholes) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda ids: ["nothing"] * len(ids),  # hides it
        lambda ids: [*ids[1:], ids[0]],  # shows another record in its place
        lambda ids: [None] * len(ids),
    ],
)
def test_an_id_that_somebody_moved_is_found_where_it_is(
    store: BucketStore, reader: LogReader, wire: Wire, change: Callable[[list[Any]], list[Any]]
) -> None:
    serve(store, wire, reader.pins[1].index, lambda t: with_column(t, "id", change))
    [(place, leaf, _)] = store.reader().contents(8000, 1)
    assert reader.find(leaf.id) == place


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.filter(pa.array([8000 not in each for each in t["indexes"].to_pylist()])),
        lambda t: with_column(t, "indexes", lambda v: v[::-1]),
        lambda t: with_column(t, "block", lambda v: v[::-1]),
        lambda t: with_column(t, "part", lambda v: [99] * len(v)),
        lambda t: with_column(t, "keys", lambda v: v[::-1]),
    ],
)
def test_content_that_somebody_hid_is_read(
    store: BucketStore, reader: LogReader, wire: Wire, change: Callable[[pa.Table], pa.Table]
) -> None:
    body = reader.pins[1].body
    assert body is not None
    serve(store, wire, body, change)
    assert list(reader.contents(8000, 1)) == list(store.reader().contents(8000, 1))
    assert wire.wholes == [f"logs/{body.key}"]


def test_a_column_of_another_type_is_not_taken(
    store: BucketStore, reader: LogReader, wire: Wire
) -> None:
    body = reader.pins[1].body
    assert body is not None
    serve(store, wire, body, lambda t: t.set_column(2, "indexes", pa.array(["x"] * len(t))))
    assert list(reader.contents(8000, 1)) == list(store.reader().contents(8000, 1))
    assert wire.wholes == [f"logs/{body.key}"]


def opened(data: bytes, rows: int = 100) -> rangedparquet.RangedParquet:
    return rangedparquet.RangedParquet(
        lambda at, n: data[at : at + n], len(data), rows, ["block", "keys.list.element"]
    )


def blocks(*rows: bytes) -> bytes:
    made = [{"part": 0, "keys": ["a"], "indexes": [n], "block": row} for n, row in enumerate(rows)]
    table = pa.Table.from_pylist(made, segment.body_schema())
    return made_up(table, 0, row_group_size=2)


def test_parts_of_an_object_are_read_as_they_are() -> None:
    part = opened(blocks(b"one", b"two", b"three"))
    assert part.holding(1, 3) == ([0, 1], 0)
    assert part.holding(2, 3) == ([1], 2)
    assert part.around("keys.list.element", b"a") == [0, 1]
    assert part.around("keys.list.element", b"b") == [1]
    assert part.around("keys.list.element", b"A") == []
    part.bring(part.spans([1], "block"))
    assert part.strings(1, "block", nullable=False) == [b"three"]


def test_more_rows_than_there_are_records() -> None:
    with pytest.raises(FormatError, match="more than 2 rows"):
        opened(blocks(b"1", b"2", b"3"), rows=2)


@pytest.mark.parametrize("size", [0, 5, 12, 100])
def test_what_is_no_parquet_object(size: int) -> None:
    for end in (b"", b"PAR1"):
        with pytest.raises(FormatError):
            opened(b"x" * size + end)


def test_chunks_that_lie_over_each_other_are_not_read() -> None:
    part = opened(blocks(b"one"))
    with pytest.raises(FormatError, match="over each other"):
        part.bring(part.spans([0] * 99, "block"))
