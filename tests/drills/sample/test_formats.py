"""Each file is what its real client would have written, read with the standard library alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

from support.sample_reading import lines, plain

from .conftest import Sample


def of_format(sample: Sample, name: str) -> list[Path]:
    found = [sample.root / entry.path for entry in sample.manifest.files if entry.format == name]
    assert found, name
    return found


def test_at_least_nine_formats_are_there(sample: Sample) -> None:
    formats = {entry.format for entry in sample.manifest.files} - {"bedrock.body"}
    assert len(formats) >= 9


def test_the_manifest_names_every_file_and_only_the_readme_beside(sample: Sample) -> None:
    there = {p.relative_to(sample.root).as_posix() for p in sample.root.rglob("*") if p.is_file()}
    assert there == {entry.path for entry in sample.manifest.files} | {"README.md"}


def test_planted_lines_are_no_json_or_no_interaction(sample: Sample) -> None:
    for entry in sample.manifest.files:
        if not entry.bad or entry.format == "aircon":
            continue
        raw = plain(sample.root / entry.path).rstrip(b"\n").split(b"\n")
        assert len(raw) - len(list(lines(sample.root / entry.path))) == entry.bad, entry.path


def test_gateway_payloads_have_the_recorded_members(sample: Sample, shared_data: Path) -> None:
    recorded = json.loads(
        (shared_data / "capture/litellm-1.100.5/standard_logging_payloads.json").read_text("utf-8")
    )
    known = set(recorded[0]) - {"autorouter_savings", "request_model_access_groups"}
    for path in of_format(sample, "litellm"):
        for payload in lines(path):
            assert known - set(payload) == set()
            assert set(payload["metadata"]) <= set(recorded[0]["metadata"])


def test_span_lines_are_export_requests_with_hex_ids_and_known_parents(sample: Sample) -> None:
    for path in of_format(sample, "otlp.span+json"):
        for request in lines(path):
            for resource in request["resourceSpans"]:
                spans = [s for scope in resource["scopeSpans"] for s in scope["spans"]]
                ids = {span["spanId"] for span in spans}
                assert len(ids) == len(spans)
                for span in spans:
                    assert len(bytes.fromhex(span["traceId"])) == 16
                    assert len(bytes.fromhex(span["spanId"])) == 8
                    assert span.get("parentSpanId", span["spanId"]) in ids
                    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])


def test_bedrock_streams_are_arrays_and_large_bodies_lie_beside_the_log(sample: Sample) -> None:
    arrays = beside = 0
    for path in of_format(sample, "bedrock"):
        for log in lines(path):
            body = log["output"].get("outputBodyJson")
            if log["operation"].endswith("Stream") and body is not None:
                assert isinstance(body, list)
                arrays += 1
            if "inputBodyS3Path" in log["input"]:
                held = path.parent / "data" / log["input"]["inputBodyS3Path"].rsplit("/", 1)[1]
                assert len(plain(held)) > 100_000
                assert json.loads(plain(held))["messages"]
                beside += 1
    assert arrays > 10
    assert beside >= 2


def test_batch_output_answers_every_input_line_once(sample: Sample) -> None:
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for path in of_format(sample, "openai.batch"):
        side = path.name.rsplit(".", 2)[1]
        sides[side].update(line["custom_id"] for line in lines(path))
    assert sides["input"] == sides["output"]
    assert set(sides["input"].values()) == {1}


def test_split_gateway_messages_join_to_json(sample: Sample) -> None:
    split = 0
    for path in of_format(sample, "apim.llm"):
        rows: dict[str, list[str]] = defaultdict(list)
        for row in lines(path):
            if "RequestMessages" in row:
                rows[row["CorrelationId"]].append(row["RequestMessages"])
        split += sum(len(pieces) > 1 for pieces in rows.values())
        for pieces in rows.values():
            assert json.loads("".join(pieces))[0]["role"] == "system"
    assert split > 5


def test_streams_end_properly_unless_the_client_left(sample: Sample) -> None:
    ended = left = 0
    for path in of_format(sample, "openai.pair"):
        for pair in lines(path):
            if not pair["stream"]:
                continue
            done = pair["response"][-1]["data"] == "[DONE]"
            assert done != pair.get("aborted", False)
            ended, left = ended + done, left + (not done)
    assert ended > 10


def test_some_calls_fail_are_limited_and_are_tried_again(sample: Sample) -> None:
    classes: Counter[str] = Counter()
    for path in of_format(sample, "litellm"):
        classes.update(p["error_information"]["error_class"] for p in lines(path))
    assert classes["RateLimitError"] > 2
    assert 0.9 < classes[""] / classes.total() < 1


def test_the_same_call_is_seen_by_gateway_and_span(sample: Sample) -> None:
    gateway = {p["id"] for path in of_format(sample, "litellm") for p in lines(path)}
    spans = b"".join(plain(path) for path in sample.root.glob("wren-messaging/*.pb.gz"))
    both = [name for name in gateway if name.encode() in spans]
    assert 100 < len(both) < sample.manifest.copies + 1


def test_the_checked_in_shape_is_small(sample: Sample) -> None:
    size = sum(path.stat().st_size for path in sample.root.rglob("*") if path.is_file())
    assert size < 6_000_000
