"""An application sends to the real endpoint; what it gets back, and what is on the log then."""

from __future__ import annotations

import gzip
import json
import signal
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from support.commands import line
from support.serving import PROTOBUF, Serving, aircon, new_store, serving, spans
from support.waiting import until

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(new_store(tmp_path_factory.mktemp("serve")), "--max-body", "2") as found:
        yield found


@pytest.fixture
def client(running: Serving) -> Iterator[httpx.Client]:
    with running.client as found:
        yield found


def test_spans_in_protobuf_are_stored_before_they_are_acknowledged(
    running: Serving, client: httpx.Client
) -> None:
    request = spans(3, first=100, text="needle-protobuf", user="maria")
    answer = client.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    rows = running.sql(
        "SELECT i.request_model, i.application, m.text FROM interactions i JOIN messages m"
        " USING (index) WHERE m.text LIKE 'needle-protobuf%' ORDER BY 3"
    )
    assert [row["text"] for row in rows] == [f"needle-protobuf {n}" for n in (100, 101, 102)]
    assert {(row["request_model"], row["application"]) for row in rows} == {("gpt-5", "support")}


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),
        ("identity", bytes),
    ],
)
def test_every_encoding_of_the_specification_is_taken(
    client: httpx.Client, encoding: str, pack: object
) -> None:
    body = spans(1, first=time.time_ns() % 10**12).SerializeToString()
    headers = {**PROTOBUF, "content-encoding": encoding}
    assert callable(pack)
    answer = client.post("/v1/traces", content=pack(body), headers=headers)
    assert answer.status_code == 200


def test_json_requests_are_answered_in_json(client: httpx.Client) -> None:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "0" * 31 + "9", "spanId": "0" * 15 + "9", "name": "chat",
         "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}}]},
    ]}]}]}  # fmt: skip
    answer = client.post("/v1/traces", json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"] == "application/json"


def test_empty_requests_are_fine(client: httpx.Client) -> None:
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        assert client.post(path, content=b"", headers=PROTOBUF).status_code == 200
        assert client.post(path, content=b"{}", headers=JSON).status_code in (200, 400)


def test_log_events_are_taken(running: Serving, client: httpx.Client) -> None:
    request = ExportLogsServiceRequest()
    log = request.resource_logs.add().scope_logs.add().log_records.add()
    log.time_unix_nano = 1_795_000_000_000_000_000
    log.event_name = "gen_ai.client.inference.operation.details"
    log.attributes.add(key="gen_ai.request.model").value.string_value = "model-of-a-log-event"
    body = request.SerializeToString()
    assert client.post("/v1/logs", content=body, headers=PROTOBUF).status_code == 200
    rows = running.sql(
        "SELECT count(*) AS n FROM interactions WHERE request_model = 'model-of-a-log-event'"
    )
    assert rows == [{"n": 1}]


def test_metrics_are_counted_and_not_stored(client: httpx.Client) -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for name in ("a", "b"):
        scope.metrics.add(name=name).gauge.data_points.add(as_int=1)
    before = _metric(client, "aircon_ignored_metrics_total")
    body = request.SerializeToString()
    assert client.post("/v1/metrics", content=body, headers=PROTOBUF).status_code == 200
    assert _metric(client, "aircon_ignored_metrics_total") == before + 2


def test_a_bad_span_among_good_ones_is_kept_as_evidence_and_counted(
    running: Serving, client: httpx.Client
) -> None:
    good = spans(2, first=300, text="beside-a-bad-one")
    bad = b"\x0a\x07\x12\x05\x12\x03\xff\xff\xff"  # a span that is no span
    answer = client.post("/v1/traces", content=good.SerializeToString() + bad, headers=PROTOBUF)
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert answer.status_code == 200
    assert told.rejected_spans == 1
    assert "kept as opaque evidence" in told.error_message
    assert running.sql(
        "SELECT count(*) AS n FROM messages WHERE text LIKE 'beside-a-bad-one%'"
    ) == [{"n": 2}]
    assert running.sql(
        "SELECT count(*) >= 1 AS kept FROM events WHERE kind = 'capture.rejected'"
    ) == [{"kept": True}]


def test_what_nobody_can_read_is_refused_for_good_and_kept(client: httpx.Client) -> None:
    answer = client.post("/v1/traces", content=b"\xff\xff\xff", headers=PROTOBUF)
    assert answer.status_code == 400
    assert b"kept as evidence" in answer.content
    answer = client.post("/v1/logs", content=b'{"broken', headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_request_sent_again_is_acknowledged_and_not_stored_twice(
    running: Serving, client: httpx.Client
) -> None:
    body = spans(1, first=400, text="sent-twice").SerializeToString()
    for pack in (bytes, gzip.compress):  # the second try may well be compressed anew
        headers = {**PROTOBUF, "content-encoding": "gzip" if pack is gzip.compress else "identity"}
        assert client.post("/v1/traces", content=pack(body), headers=headers).status_code == 200
    assert running.sql("SELECT count(*) AS n FROM messages WHERE text LIKE 'sent-twice%'") == [
        {"n": 1}
    ]


def test_own_records_are_answered_with_their_places(running: Serving, client: httpx.Client) -> None:
    lines = [line("hello", "hi", "maria"), '{"nope":1}', line("again", "hi", "paul")]
    headers = {"aircon-source": "batch-job", "aircon-sequence": "7"}
    answer = client.post("/v1/records", content="\n".join(lines), headers=headers).json()

    assert (answer["stored"], answer["rejected"]) == (2, 1)
    first, none, last = answer["indexes"]
    assert none is None
    where = f"WHERE index BETWEEN {first} AND {last} AND source LIKE 'live/local%'"
    rows = running.sql(
        f"SELECT index, source, seq FROM interactions {where}"
        f" UNION ALL SELECT index, source, seq FROM events {where} ORDER BY index"
    )
    assert [(row["source"], row["seq"]) for row in rows] == [
        ("live/local/batch-job", 7),
        ("live/local/batch-job", 8),
        ("live/local/batch-job", 9),
    ]


def test_litellm_payloads_are_taken_alone_in_an_array_and_as_lines(
    running: Serving, client: httpx.Client
) -> None:
    def payload(number: int) -> dict[str, object]:
        return {
            "id": f"chatcmpl-{number}", "litellm_call_id": f"call-{number}",
            "call_type": "acompletion", "model": "gpt-lite", "status": "success",
            "startTime": 1_795_000_000.0 + number,
            "endTime": 1_795_000_001.0 + number, "messages": [{"role": "user", "content": "hi"}],
            "response": {"model": "gpt-lite", "choices": []},
        }  # fmt: skip

    shapes = [
        json.dumps(payload(1)),
        json.dumps([payload(2), payload(3)]),
        "\n".join([json.dumps(payload(4)), json.dumps(payload(5))]),
    ]
    for body in shapes:
        answer = client.post("/litellm", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["rejected"]) == (200, 0)
    assert running.sql(
        "SELECT count(*) AS n FROM interactions WHERE request_model = 'gpt-lite'"
    ) == [{"n": 5}]


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/v1/traces", {"content-type": "text/plain"}, b"x", 415),
        ("/v1/traces", {**PROTOBUF, "content-encoding": "br"}, b"x", 415),
        ("/v1/traces", {**PROTOBUF, "content-encoding": "gzip"}, b"no gzip", 400),
        ("/v1/traces", PROTOBUF, b"\0" * (2 * 2**20 + 1), 413),
        ("/v1/records", {"aircon-source": "../../etc"}, b"{}", 400),
        ("/v1/records", {"aircon-sequence": "-1"}, b"{}", 400),
        ("/v1/records", {"aircon-sequence": "9" * 30}, b"{}", 400),
        ("/v1/nothing", {}, b"", 404),
    ],
    # pytest puts a test's name into the environment of what it starts: bodies are too long for it
    ids=["type", "encoding", "no-gzip", "too-large", "source", "negative", "number", "nowhere"],
)
def test_wrong_requests_get_the_code_that_is_right(
    client: httpx.Client, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = client.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert client.get("/healthz").status_code == 200


def test_a_decompression_bomb_is_refused_and_the_endpoint_lives(client: httpx.Client) -> None:
    bomb = gzip.compress(b"\0" * (300 * 2**20), 9)
    assert len(bomb) < 2**20
    headers = {**PROTOBUF, "content-encoding": "gzip"}
    assert client.post("/v1/traces", content=bomb, headers=headers).status_code == 413
    assert client.get("/readyz").json() == {"ready": True}


def test_deep_json_is_refused_and_the_endpoint_lives(client: httpx.Client) -> None:
    deep = b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert client.post("/v1/traces", content=deep, headers=JSON).status_code == 400
    deep = b'{"aircon":1,"extra":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    assert client.post("/v1/records", content=deep).status_code == 400
    assert client.get("/readyz").json() == {"ready": True}


def test_it_says_how_it_is(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"alive": True}
    assert client.get("/v1/stop").json() == {"stopped": False}
    body = spans(1, first=900, user="maria").SerializeToString()
    assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
    text = client.get("/metrics").text
    assert 'aircon_records_total{kind="interaction",source="live/local"}' in text
    assert "maria" not in text


def test_events_never_hold_content(running: Serving, client: httpx.Client) -> None:
    secret = "s3cr3t-needle"
    client.post("/v1/traces", content=secret.encode() * 3, headers=PROTOBUF)
    client.post(f"/v1/{secret}", content=secret)
    client.post("/v1/records", content=secret, headers={"aircon-source": secret + "!"})
    assert running.events("request")
    assert not [said for said in running.said if secret in said]


def _metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(each.split()[-1]) for each in lines if each.startswith(name))


def test_who_asked_is_known_also_when_the_requests_own_span_comes_last(
    running: Serving, client: httpx.Client
) -> None:
    call = spans(1, first=700, text="asked-before-anybody-knew")
    (span,) = call.resource_spans[0].scope_spans[0].spans
    span.parent_span_id = b"rootroot"
    assert _traces(client, call) == 200
    asked = "SELECT u.user_id FROM users u WHERE u.user_id = 'late-maria'"
    assert running.sql(asked) == []

    root = spans(1, first=700, user="late-maria")
    (span,) = root.resource_spans[0].scope_spans[0].spans
    span.span_id, span.name = b"rootroot", "POST /ask"
    assert _traces(client, root) == 200
    found = aircon(
        "search", "asked-before-anybody-knew", "--user", "late-maria", "--json",
        "--store", running.store, "--insecure-no-passphrase",
    )  # fmt: skip
    assert len(found.stdout.splitlines()) == 1, found.stderr


def test_content_that_lies_elsewhere_is_sealed_where_it_may_be_fetched(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    said = [{"role": "user", "parts": [{"type": "text", "content": "said-elsewhere"}]}]
    (folder / "in.json").write_text(json.dumps(said))
    request = spans(2, first=800)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        del span.attributes[-1]
        key = "gen_ai.input.messages_ref"
        place = folder if number == 0 else tmp_path
        span.attributes.add(key=key).value.string_value = f"file://{place}/in.json"
    options = ("--fetch-from", f"file://{folder}/")
    with serving(new_store(tmp_path), *options) as found, found.client as client:
        assert _traces(client, request) == 200
        assert found.sql("SELECT text FROM messages") == [{"text": "said-elsewhere"}]
        gaps = found.sql("SELECT capture_gaps FROM interactions ORDER BY index")
        assert "content-by-reference" not in str(gaps[0])
        assert "content-by-reference" in str(gaps[1])
        assert found.verify().returncode == 0


def _traces(client: httpx.Client, request: ExportTraceServiceRequest) -> int:
    body = request.SerializeToString()
    return client.post("/v1/traces", content=body, headers=PROTOBUF).status_code


# -- its life ---------------------------------------------------------------------------------


def test_its_life_is_on_the_log_and_ends_with_success(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with serving(store, "--heartbeat", "0.5", "--seal-on-stop") as found:
        with found.client as client:
            body = spans(5).SerializeToString()
            assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
            deadline = time.monotonic() + 20
            while not found.sql("SELECT 1 FROM events WHERE kind = 'capture.heartbeat'"):
                assert time.monotonic() < deadline
        assert found.stop() == 0
        kinds = [row["kind"] for row in found.sql("SELECT kind FROM events ORDER BY index")]
        assert kinds.index("capture.started") < kinds.index("capture.heartbeat")
        assert kinds.index("capture.heartbeat") < kinds.index("capture.stopped")
        assert kinds.count("segment.sealed") == 1
        assert found.verify().returncode == 0


def test_records_are_sealed_when_they_are_old_enough(tmp_path: Path) -> None:
    with serving(new_store(tmp_path), "--seal-age", "1") as found, found.client as client:
        body = spans(5).SerializeToString()
        assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
        deadline = time.monotonic() + 30
        while not found.events("sealed"):
            assert time.monotonic() < deadline, found.said
            time.sleep(0.1)
        assert found.verify().returncode == 0


def test_each_segment_is_told_whatever_it_was_sealed_for(tmp_path: Path) -> None:
    text = "sealed by size " * 2_000
    with serving(new_store(tmp_path), "--seal-size", "1", "--seal-on-stop") as found:
        with found.client as client:
            for first in range(0, 200, 50):
                body = spans(50, first=first, text=text).SerializeToString()
                assert client.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200
            until(lambda: len(found.events("sealed")) >= 2)
        assert found.stop() == 0
        until(lambda: bool(found.events("stopped")))
        told = found.events("sealed")
        sealed = found.sql("SELECT clear FROM events WHERE kind = 'segment.sealed' ORDER BY index")
    assert len(told) == len(sealed) >= 3
    follows = 0
    for event in told:
        assert event["first"] == follows
        follows += int(str(event["records"]))
        assert int(str(event["bytes"])) > 1_000
        assert 0 <= float(str(event["seconds"])) < 60
        assert event.keys() == {"time", "event", "first", "records", "bytes", "seconds"}
    assert follows > 200


def test_a_hangup_goes_on_in_a_new_event_file(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    with serving(new_store(tmp_path), "--log-file", events) as found, found.client as client:
        events.rename(tmp_path / "events.1")
        found.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not events.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.post("/v1/nothing-to-see", content=b"")
        client.post("/v1/traces", content=b"?", headers=PROTOBUF)
        assert found.stop() == 0
    assert '"status":400' in events.read_text("utf-8")


def test_the_kill_switch_is_a_file(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    with serving(new_store(tmp_path), "--stop-file", stop) as found, found.client as client:
        assert client.get("/v1/stop").json() == {"stopped": False}
        stop.write_text("model is leaking\x1b[31m, see case 7\nmore\n")
        assert client.get("/v1/stop").json() == {
            "stopped": True, "reason": "model is leaking[31m, see case 7",
        }  # fmt: skip


def test_one_huge_request_does_not_hold_up_small_ones(tmp_path: Path) -> None:
    said = {"model": "gpt-5", "messages": [{"role": "user", "content": "x" * 200}]}
    one = json.dumps({"request": said, "response": {"id": "r", "choices": []}}).encode()
    huge = b"\n".join([one] * 20_000)
    done: list[str] = []

    with serving(new_store(tmp_path)) as running, running.client as client:

        def send_it() -> int:
            answer = httpx.post(f"{running.url}/v1/records", content=huge, timeout=300)
            done.append("huge")
            return int(answer.json()["stored"])

        with ThreadPoolExecutor(1) as beside:
            sent = beside.submit(send_it)
            while pending(client) < len(huge):  # all of it has arrived
                assert not sent.done()
            for _ in range(5):
                assert client.post("/v1/records", content=one).json()["stored"] == 1
                done.append("small")
            assert sent.result() == 20_000
        assert running.sql("SELECT count(*) AS n FROM interactions") == [{"n": 20_005}]
    assert done == ["small"] * 5 + ["huge"]


def pending(client: httpx.Client) -> float:
    """Bytes of requests that are not answered yet."""
    lines = client.get("/metrics").text.splitlines()
    (found,) = [each for each in lines if each.startswith("aircon_pending_bytes ")]
    return float(found.split()[1])
