"""The endpoint's pure parts: what inflates, is counted, is remembered, is answered."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from support.serving import spans

from logstore.receiving import answers
from logstore.receiving.arriving import Arrival
from logstore.receiving.backlog import Backlog
from logstore.receiving.endpoint import Stored
from logstore.receiving.heartbeats import MAX_LISTED, Heartbeats
from logstore.receiving.intake import Intake
from logstore.receiving.limits import MIB, Limits
from logstore.receiving.metrics import MAX_SOURCES, OTHERS, Metrics
from logstore.receiving.refusals import ComeBack, NotTaken, later
from logstore.receiving.replays import Replays
from logstore.receiving.stopping import StopFile
from logstore.receiving.unpacking import MAX_MEMBERS, unpacked

SMALL = Limits(inflated_bytes=3 * MIB, inflate_ratio=10)


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "deflate", "bare", "", "identity"]))
def test_what_was_packed_is_unpacked(data: bytes, encoding: str) -> None:
    pack = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "bare": lambda each: zlib.compress(each, wbits=-15),
    }.get(encoding, bytes)
    named = "deflate" if encoding == "bare" else encoding
    assert unpacked(pack(data), named, SMALL) == data


def test_gzip_members_one_after_the_other_are_one_body() -> None:
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", SMALL) == b"ab"


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_other_bytes_are_refused_or_inflated_but_never_crash(data: bytes, encoding: str) -> None:
    refused: NotTaken | None = None
    try:
        unpacked(data, encoding, SMALL)
    except NotTaken as error:
        refused = error
    assert refused is None or refused.status in (400, 413)


@given(st.integers(1, 40))
def test_a_body_cut_short_is_refused(cut: int) -> None:
    whole = gzip.compress(b"some text that is long enough to be cut" * 3)
    with pytest.raises(NotTaken, match="corrupt-compression"):
        unpacked(whole[:-cut], "gzip", SMALL)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_is_whole(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    packed = pack(b"\0" * 4 * MIB)
    with pytest.raises(NotTaken) as caught:
        unpacked(packed, encoding, SMALL)
    assert caught.value.status == 413


def test_members_without_end_are_refused_at_once() -> None:
    member = gzip.compress(b"")
    data = member * (MIB // len(member))
    began = time.process_time()
    with pytest.raises(NotTaken, match="corrupt-compression"):
        unpacked(data, "gzip", SMALL)
    assert time.process_time() - began < 2
    assert unpacked(member * MAX_MEMBERS, "gzip", SMALL) == b""


@pytest.mark.parametrize("wbits", [15, -15])
def test_what_follows_a_compressed_body_is_not_dropped_silently(wbits: int) -> None:
    with pytest.raises(NotTaken, match="corrupt-compression"):
        unpacked(zlib.compress(b"a", wbits=wbits) + b"b", "deflate", SMALL)


def test_answers_to_large_requests_are_forgotten_sooner() -> None:
    replays: Replays[int] = Replays(b"k" * 32, most=100)
    for number in range(10):
        replays.put(b"%d" % number, number, weight=30)
    assert [number for number in range(10) if replays.get(b"%d" % number) == number] == [7, 8, 9]
    replays.put(b"9", 9, weight=70)
    assert replays.get(b"8") == 8
    assert replays.get(b"7") is None
    replays.put(b"huge", 1, weight=1_000)
    assert replays.get(b"huge") is None


def test_traces_are_remembered_for_all_sources_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logstore.receiving.intake.MAX_SPANS", 100)
    intake = Intake(Limits())
    for number in range(50):
        body = spans(30, first=1).SerializeToString()
        intake.cut(Arrival("traces", f"live/local/{number}", body), body)
        assert sum(each.size for each in intake._identities.values()) <= 130
    assert list(intake._identities) == [f"live/local/{number}" for number in (46, 47, 48, 49)]


def test_sources_without_end_are_counted_together() -> None:
    metrics = Metrics()
    for number in range(MAX_SOURCES + 50):
        metrics.took(f"live/local/{number}", {"interaction": 2}, 10)
    assert metrics.tally["live/local/999", "interaction"] == 2
    assert metrics.tally[OTHERS, "interaction"] == 100
    assert metrics.tally.total() == 2 * (MAX_SOURCES + 50)


def test_the_backlog_is_bounded_but_never_shuts_out_a_lone_request() -> None:
    seen: list[int] = []
    backlog = Backlog(100, seen.append)
    with backlog.entry() as first:
        first.grow(150)  # alone: it may be larger than all the room
        with backlog.entry() as second, pytest.raises(ComeBack) as caught:
            second.grow(1)
        assert caught.value.status == 503
        assert caught.value.retry_after == 1
    assert backlog.size == backlog.requests == 0
    assert seen[-1] == 0


def test_replays_are_told_apart_by_every_part_and_forgotten_in_order() -> None:
    replays: Replays[int] = Replays(b"k" * 32, most=2)
    names = [replays.name(b"a", b"bc"), replays.name(b"ab", b"c"), replays.name(b"a", b"b", b"c")]
    assert len(set(names)) == 3
    assert Replays[int](b"other" * 6).name(b"a", b"bc") != names[0]
    for number, name in enumerate(names):
        replays.put(name, number)
    assert [replays.get(name) for name in names] == [None, 1, 2]


def test_partial_success_is_said_in_both_encodings() -> None:
    stored = Stored([1, None, None], rejected=2, withheld=1)
    told = ExportTraceServiceResponse.FromString(answers.otlp("traces", stored, is_json=False))
    assert told.partial_success.rejected_spans == 2
    assert "keys were destroyed" in told.partial_success.error_message
    logs = ExportLogsServiceResponse.FromString(answers.otlp("logs", stored, is_json=False))
    assert logs.partial_success.rejected_log_records == 2
    assert b'"rejectedSpans":"2"' in answers.otlp("traces", stored, is_json=True)
    assert answers.otlp("traces", Stored([1]), is_json=False) == b""
    assert answers.otlp("traces", Stored([1]), is_json=True) == b"{}"


def test_failures_are_a_google_rpc_status() -> None:
    # code = 1 (int32, UNAVAILABLE is 14), message = 2 (string)
    assert answers.otlp_failure(later("x", "words"), is_json=False) == b"\x08\x0e\x12\x05words"
    assert answers.otlp_failure(later("x", "words"), is_json=True) == (
        b'{"code":14,"message":"words"}'
    )


def test_heartbeats_count_what_came_since_the_last_one() -> None:
    beats = Heartbeats("op")
    first = beats.started({"tls": False})
    tally = {("live/a", "interaction"): 3, ("live/a", "span"): 2, ("live/b", "log"): 1}
    second = beats.beat(tally)
    third = beats.beat({**tally, ("live/b", "log"): 5})
    assert [each.seq for each in (first, second, third)] == [0, 1, 2]
    assert len({each.source for each in (first, second, third)}) == 1
    assert dict(second.clear) == {"records": 6, "sources": ["live/a=5", "live/b=1"]}
    assert dict(third.clear) == {"records": 4, "sources": ["live/b=4"]}


def test_a_heartbeat_names_only_so_many_sources() -> None:
    tally = {(f"live/{number:03d}", "log"): 1 for number in range(200)}
    listed = Heartbeats("op").beat(tally).clear["sources"]
    assert isinstance(listed, list)
    assert len(listed) == MAX_LISTED + 1
    assert listed[-1] == f"others={200 - MAX_LISTED}"


def test_a_kill_switch_nobody_can_read_stops(tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    assert StopFile(None).reason() is None
    assert StopFile(tmp_path / "absent").reason() is None
    assert StopFile(tmp_path).reason() == "stopped"  # a directory: there, and unreadable
    (tmp_path / "empty").write_bytes(b"")
    assert StopFile(tmp_path / "empty").reason() == "stopped"
    (tmp_path / "odd").write_bytes(b"\xff\xfe\x1b[2J why\n")
    assert "\x1b" not in (StopFile(tmp_path / "odd").reason() or "")
