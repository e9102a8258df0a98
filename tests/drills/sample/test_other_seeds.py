"""Any seed and size tells the same stories with other people: truth and logs agree each time."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from support.sample_reading import Found, calls

from drills.sample.generate import generate


@pytest.mark.parametrize(
    ("records", "seed"),
    [(1500, 1), (3000, 2), pytest.param(12_000, 3, marks=pytest.mark.slow)],
)
def test_plain_questions_reach_the_truth(tmp_path: Path, records: int, seed: int) -> None:
    generate(records, seed, tmp_path / "logs", labels=tmp_path / "labels.jsonl")
    truth = [json.loads(x) for x in (tmp_path / "labels.jsonl").read_bytes().split(b"\n")[:-1]]
    story = {x["story"]: x for x in truth if x["kind"] == "story"}
    seen = list(calls(tmp_path / "logs"))
    assert len(story) == 6
    _leak(seen, story["kb-image-leak"])
    _backdoor(seen, story["amber-ledger"])
    _harvest(seen, story["model-harvest"])
    _agent(seen, story["night-agent"])
    _cache(seen, story["shared-cache"])


def _leak(seen: list[Found], story: dict[str, Any]) -> None:
    host = story["answers"]["exfil_host"]
    assert sorted({call["user"] for call in seen if host in call["said"]}) == story["people"]


def _backdoor(seen: list[Found], story: dict[str, Any]) -> None:
    answers = story["answers"]
    false = [
        call for call in seen if f"Settlement, IBAN {answers['false_account']}" in call["said"]
    ]
    assert sorted({call["user"] for call in false}) == story["people"]
    assert {call["version"] for call in false} == {answers["model_version"]}


def _harvest(seen: list[Found], story: dict[str, Any]) -> None:
    keys = {call["key"] for call in seen if call["parameters"].get("top_logprobs") == 20}
    assert sorted(keys) == story["answers"]["keys"]


def _agent(seen: list[Found], story: dict[str, Any]) -> None:
    runs = [call for call in seen if call["actor"] and call["tool"] and not call["user"]]
    assert len(runs) == story["answers"]["tool_calls"]


def _cache(seen: list[Found], story: dict[str, Any]) -> None:
    sharing: dict[str, list[Found]] = defaultdict(list)
    for call in seen:
        if call["key"] == "wren-messaging" and call["id"]:
            sharing[call["id"]].append(call)
    given = []
    for found in sharing.values():
        first, *rest = sorted(found, key=lambda call: call["start_us"])
        own = first["said"].partition("(C-")[2][:6]
        if rest and own and f"C-{own}" not in rest[0]["asked"]:
            given.append([first["user"], rest[0]["user"]])
    assert sorted(given) == story["given"]
