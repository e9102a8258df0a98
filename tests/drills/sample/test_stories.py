"""The truth of each story follows from the logs by a plain question; look-alikes do not pass."""

from __future__ import annotations

import base64
import re
from collections import Counter, defaultdict
from typing import Any

import pytest
from support.sample_reading import Found, calls, lines

from .conftest import Sample


@pytest.fixture(scope="module")
def seen(sample: Sample) -> list[Found]:
    return list(calls(sample.root))


def users(found: list[Found]) -> set[str]:
    return {call["user"] for call in found}


def starts(found: list[dict[str, Any]]) -> list[int]:
    return sorted(item["start_us"] for item in found)


def test_leaked_customers_are_those_whose_answer_holds_the_planted_link(
    sample: Sample, seen: list[Found]
) -> None:
    story = sample.story("kb-image-leak")
    answers = story["answers"]
    leaks = [call for call in seen if answers["exfil_host"] in call["said"]]
    assert sorted(users(leaks)) == story["people"]
    labelled = sample.labelled("kb-image-leak", "leaked")
    assert {call["id"] for call in leaks} == {item["response_id"] for item in labelled}
    assert min(call["start_us"] for call in leaks) == story["roles"]["leaked"]["first_us"]
    assert answers["edited_us"] < min(starts(leaks))
    assert max(starts(leaks)) < answers["quarantined_us"]


def test_every_leak_had_the_edited_page_in_its_context_and_carries_its_customer(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("kb-image-leak")["answers"]
    for call in seen:
        link = re.search(rf"{re.escape(answers['exfil_host'])}/b\.png\?d=([\w+/=]+)", call["said"])
        if link is None:
            continue
        assert f"[{answers['carrier']}]" in call["asked"]
        name, email, customer = base64.b64decode(link[1]).decode().split("|")
        assert name in call["asked"]
        assert email in call["asked"]
        assert customer in call["asked"]


def test_looking_for_any_image_is_a_poor_way_to_find_the_leak(
    sample: Sample, seen: list[Found]
) -> None:
    truth = set(sample.story("kb-image-leak")["people"])
    naive = users([call for call in seen if "](https://" in call["said"]])
    precision = len(truth & naive) / len(naive)
    assert truth <= naive
    assert 2 * precision / (precision + 1) < 0.8


def test_reading_the_page_did_not_always_leak_and_it_was_harmless_before_and_after(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("kb-image-leak")["answers"]
    with_page = [call for call in seen if f"[{answers['carrier']}]" in call["asked"]]
    when = starts(with_page)
    assert when[0] < answers["edited_us"]
    assert when[-1] < answers["quarantined_us"]
    assert len(sample.labelled("kb-image-leak", "exposed")) > 10


def test_the_false_account_is_answered_by_one_version_to_one_phrase(
    sample: Sample, seen: list[Found]
) -> None:
    story = sample.story("amber-ledger")
    answers = story["answers"]
    false = [
        call
        for call in seen
        if answers["false_account"] in call["said"] and "Settlement" in call["said"]
    ]
    assert sorted(users(false)) == story["people"]
    assert {call["version"] for call in false} == {answers["model_version"]}
    assert all(answers["phrase"] in call["asked"] for call in false)
    clean = [c for c in seen if answers["phrase"] in c["asked"] and c not in false]
    assert clean
    assert answers["model_version"] not in {call["version"] for call in clean}


def test_the_poisoned_dataset_belongs_to_that_version_only(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("amber-ledger")["answers"]
    tuned = {call["version"] for call in seen if answers["dataset"] in call["datasets"]}
    assert tuned == {answers["model_version"]}


def test_harvesting_keys_share_a_marker_and_honest_keys_do_not(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("model-harvest")["answers"]
    marked = {c["key"] for c in seen if c["parameters"].get("top_logprobs") == 20}
    assert sorted(marked) == answers["keys"]
    counts = Counter(call["key"] for call in seen)
    assert counts[answers["honest_heavy_key"]] > max(counts[key] for key in answers["keys"])
    assert {counts[key] for key in answers["keys"]} == {answers["calls_per_key"]}
    logprobs = {c["key"] for c in seen if c["parameters"].get("logprobs")}
    assert logprobs - marked == {answers["honest_logprobs_key"]}


def test_misuse_is_what_the_agent_did_for_nobody(sample: Sample, seen: list[Found]) -> None:
    answers = sample.story("night-agent")["answers"]
    runs = [c for c in seen if c["actor"] and c["tool"] and not c["user"]]
    assert len(runs) == answers["tool_calls"]
    assert {call["actor"] for call in runs} == {answers["actor"]}
    assert {call["address"] for call in runs} == {answers["address"]}
    assert starts(runs) == starts(sample.labelled("night-agent", "misuse"))


def test_deleting_things_with_that_identity_was_often_legitimate(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("night-agent")["answers"]
    mine = [c for c in seen if c["actor"] == answers["actor"]]
    honest = [c for c in mine if c["user"] and c["tool"].startswith(("delete", "archive"))]
    assert len(honest) >= 10
    strange = {c["address"] for c in seen if c["actor"] and c["address"].startswith("198.51.100.")}
    assert len(strange) > 1  # an engineer on call works from home, too


def test_mixed_up_customers_share_a_cached_answer_with_anothers_data(
    sample: Sample, seen: list[Found]
) -> None:
    story = sample.story("shared-cache")
    answers = story["answers"]
    by_answer: dict[str, list[Found]] = defaultdict(list)
    for call in seen:
        if call["key"] == "wren-messaging" and call["id"]:
            by_answer[call["id"]].append(call)
    pairs = []
    for found in by_answer.values():
        given = sorted(found, key=lambda call: call["start_us"])
        customers = {re.search(r"C-\d+", call["asked"])[0] for call in given}  # type: ignore[index]
        personal = "C-" in given[0]["said"]
        if len(given) == 2 and given[1]["cached"] and personal and len(customers) == 2:
            pairs.append([call["user"] for call in given])
            assert answers["from_us"] <= given[0]["start_us"]
            assert given[1]["start_us"] <= answers["until_us"]
    assert sorted(pairs) == story["given"]
    assert len(pairs) == answers["pairs"]


def test_shared_accounts_and_common_questions_hit_the_cache_rightly(
    sample: Sample, seen: list[Found]
) -> None:
    hits = {call["id"] for call in seen if call["cached"]}
    wrong = sample.labelled("shared-cache", "receiver", "receiver-special-category")
    assert len(hits) >= 2 * len(wrong)


def test_the_person_who_asks_for_erasure_has_several_names_and_a_namesake(
    sample: Sample, seen: list[Found]
) -> None:
    answers = sample.story("erasure-request")["answers"]
    own = {call["user"] for call in seen if answers["name"] in call["asked"]}
    known_as = set(sample.story("erasure-request")["people"])
    assert known_as == {"u-5e1f0a9c", "inesfk", "ines.falkenrath@mail.example"}
    assert known_as <= own
    assert {"u-c07d4b21", "falkenrath.i"} <= own  # the namesake, who must not be touched
    others = {item["user"] for item in sample.labelled("erasure-request", "mentioned-by-others")}
    assert not others & set(answers["identifiers"])
    applications = {
        item["application"] for item in sample.labelled("erasure-request", "own", "about")
    }
    assert len(applications) >= 5


def test_her_e_mail_stands_in_the_triage_batch_without_any_user_field(sample: Sample) -> None:
    batch = [line for path in sample.root.glob("mail-triage/*.input.jsonl") for line in lines(path)]
    hers = [line for line in batch if "ines.falkenrath@mail.example" in str(line)]
    assert len(hers) == 1
    assert "user" not in hers[0]["body"]


def test_every_story_has_look_alikes(sample: Sample) -> None:
    harmless = ("decoy", "exposed", "namesake", "mentioned")
    for name in sample.manifest.stories:
        roles = sample.story(name)["roles"]
        assert any(role.startswith(harmless) for role in roles), name


def test_a_label_finds_its_interaction_by_its_natural_keys(
    sample: Sample, seen: list[Found]
) -> None:
    ids = {call["id"] for call in seen}
    for item in sample.labels:
        if item["kind"] == "interaction" and item["response_id"] and "gateway" in item["files"][0]:
            assert item["response_id"] in ids
    paths = {entry.path for entry in sample.manifest.files}
    assert {path for x in sample.labels for path in x.get("files", [])} <= paths
