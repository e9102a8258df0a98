"""Witnesses by the command line: two auditors cosign a log that its owner keeps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.commands import Aircon, line
from support.witnessing import ORIGIN, Owner

from console.__main__ import main
from logstore.disk import set_immutable
from logstore.formats.addcheckpoint import parse_add_checkpoint
from logstore.formats.note import parse_note


@pytest.fixture
def owner(aircon: Aircon, tmp_path: Path) -> Owner:
    return Owner(tmp_path, aircon)


def status(owner: Owner) -> dict[str, object]:
    return owner.run("status", "--json").objects[0]


def test_from_signed_to_witnessed_and_on(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    before = owner.run("verify")
    assert before.code == 2
    assert "signed, not witnessed" in before.out
    taken = owner.cosign("w1")
    assert taken.code == 0, taken.err
    size = status(owner)["records"]
    assert taken.objects[0]["witnessed_to"] == taken.objects[0]["signed_to"] == size
    for words in (["verify"], ["verify", "--quick"], ["verify", "--witnessed"]):
        after = owner.run(*words)
        assert after.code == 0, after.out
        assert f"{size} witnessed (w1 20" in after.out
    owner.grow("second", "third")
    owner.run("seal")
    behind = owner.run("verify", "--json").objects[0]
    assert behind["exit_code"] == 2
    found = [each for each in behind["findings"] if each["code"] == "not-witnessed"]  # type: ignore[attr-defined]
    assert (found[0]["index"], behind["logs"][0]["witnessed"]) == (size, size)  # type: ignore[index]
    claimed = owner.run("verify", "--witnessed", "--json").objects[0]
    assert claimed["exit_code"] == 0
    assert "awaits-witness" in str(claimed["findings"])
    again = owner.cosign("w1")
    assert again.code == 0, again.err
    assert owner.run("verify").code == 0
    assert status(owner)["witnessed_to"] == status(owner)["records"]


def test_what_is_not_witnessed_is_readable_and_said(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    found = owner.run("search", "first")
    assert found.code == 0
    assert "first" in found.out
    assert "witnessed to 0" in found.err + found.out
    assert owner.run("sql", "SELECT count(*) FROM interactions", "--clear-only").code == 0
    assert owner.run("show", "2").code == 0


def test_a_proof_leads_to_the_witnessed_checkpoint(owner: Owner, tmp_path: Path) -> None:
    owner.hire("w1", quorum="quorum w1")
    trust = ["--policy", str(owner.policy)]
    early = owner.run("prove", "1", "-o", str(tmp_path / "early"))
    assert "signed, not witnessed" in early.err
    assert owner._run("check", str(tmp_path / "early"), *trust).code == 2
    owner.cosign("w1")
    owner.grow("behind it")
    assert owner.run("prove", "1", "-o", str(tmp_path / "old")).err == ""
    told = owner._run("check", str(tmp_path / "old"), *trust, "--json")
    assert told.code == 0
    assert list(told.objects[0]["witnessed"]) == ["w1"]  # type: ignore[call-overload]
    newest = str(int(str(status(owner)["records"])) - 1)
    assert owner.run("prove", newest, "-o", str(tmp_path / "new")).code == 0
    assert owner._run("check", str(tmp_path / "new"), *trust).code == 2


def test_two_of_three_witnesses_are_enough_and_one_is_not(owner: Owner) -> None:
    owner.hire("w1", "w2", "w3", quorum="group audit 2 w1 w2 w3\nquorum audit")
    unsaid = owner.run("witness", "request", "-o", str(owner.base / "x"))
    assert unsaid.code == 3
    assert "w1, w2, w3" in unsaid.err
    asked = [owner.ask(name)[1] for name in ("w1", "w2", "w3")]
    answers = [
        owner.sign(name, file)[1] for name, file in zip(("w1", "w2", "w3"), asked, strict=True)
    ]
    assert owner.take(answers[0]).objects[0]["witnessed_to"] == 0
    assert owner.run("verify").code == 2
    assert owner.take(answers[2]).objects[0]["witnessed_to"] == status(owner)["records"]
    verified = owner.run("verify", "--json")
    assert verified.code == 0
    assert list(verified.objects[0]["logs"][0]["witnesses"]) == ["w1", "w3"]  # type: ignore[index]
    assert owner.take(answers[1], answers[0]).code == 0  # the third, and one that was taken before
    assert len(owner.cosigned()) == 3
    assert owner.run("verify").code == 0


def test_a_witness_refuses_a_log_that_was_rolled_back(owner: Owner, tmp_path: Path) -> None:
    owner.hire("w1", quorum="quorum w1")
    old = tmp_path / "old"
    for name in ("evidence", "evidence.keys"):
        shutil.copytree(tmp_path / name, old / name)
    owner.grow("what the owner wishes away")
    owner.cosign("w1")
    seen = status(owner)["records"]
    rolled = ["--store", str(old / "evidence"), "--policy", str(owner.policy)]
    request = tmp_path / "rolled"
    assert owner._run("witness", "request", *rolled, "-o", str(request)).code == 0
    refused, answer = owner.sign("w1", request)
    assert refused.code == 1
    assert f"this witness cosigned {seen}" in refused.err
    assert not answer.exists()
    told = owner._run("witness", "request", *rolled, "--old", str(seen), "-o", str(tmp_path / "y"))
    assert told.code == 1
    assert "cut" in told.err
    # What the witness gave is enough to find it, also for whoever has only the old copy.
    brought = owner._run("witness", "take", str(_newest(owner)), *rolled)
    assert brought.code == 1
    shutil.copytree(owner.store / "cosigned", old / "evidence" / "cosigned")
    shown = owner._run("verify", *rolled)
    assert shown.code == 1
    assert "truncated: cosigned/" in shown.out


def test_a_split_view_is_found_by_the_witness_and_by_the_store(
    owner: Owner, tmp_path: Path
) -> None:
    owner.hire("w1", quorum="quorum w1")
    other = tmp_path / "other"
    for name in ("evidence", "evidence.keys"):
        shutil.copytree(tmp_path / name, other / name)
    owner.grow("as shown to the auditor")
    words = ["--store", str(other / "evidence"), "--policy", str(owner.policy)]
    logs = tmp_path / "forked.jsonl"
    logs.write_text(line("as shown to the court", "answer", "maria") + "\n")
    assert owner._run("import", str(logs), *words).code == 0
    owner.cosign("w1")
    # The other history has as many records; its owner claims what the witness saw last.
    seen = status(owner)["records"]
    request = tmp_path / "split"
    asked = owner._run("witness", "request", *words, "--old", str(seen), "-o", str(request))
    assert asked.code == 0
    refused, _ = owner.sign("w1", request)
    assert refused.code == 1
    assert "does not extend" in refused.err
    brought = owner._run("witness", "take", str(_newest(owner)), *words)
    assert brought.code == 1
    assert "another history" in brought.err
    shutil.copytree(owner.store / "cosigned", other / "evidence" / "cosigned")
    for more in ([], ["--quick"]):
        assert "fork: cosigned/" in owner._run("verify", *words, *more).out


def test_stripped_cosignatures_are_missed(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    owner.cosign("w1")
    file = _newest(owner)
    set_immutable(file, on=False)
    file.unlink()
    gone = owner.run("verify")
    assert gone.code == 2
    assert "not-witnessed" in gone.out
    note = parse_note(_request_note(owner))
    file.write_bytes(note.encode())  # the log's line alone, under the name of what was cosigned
    assert owner.run("verify").code == 1
    assert "cosigned-changed" in owner.run("verify").out


def test_a_forged_cosignature_is_named_and_counts_for_nothing(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    _, request = owner.ask("w1")
    _, answer = owner.sign("w1", request)
    whole = answer.read_bytes()
    forged = answer.with_name("forged")
    at = whole.rstrip().rfind(b" ") + 40
    letter = b"A" if whole[at : at + 1] != b"A" else b"B"
    forged.write_bytes(whole[:at] + letter + whole[at + 1 :])
    refused = owner.take(forged)
    assert refused.code == 1
    assert "not theirs" in refused.err
    assert not owner.cosigned()
    owner.take(answer)
    real = _newest(owner)
    planted = forged.read_bytes()
    from logstore.storage.layout import cosigned_object, cosigned_size

    size = cosigned_size(real.relative_to(owner.store).as_posix())
    assert size is not None
    (owner.store / cosigned_object(ORIGIN, size, planted)).write_bytes(planted)
    found = owner.run("verify", "--json").objects[0]
    assert found["exit_code"] == 1
    assert "cosignature-wrong" in str(found["findings"])
    assert found["logs"][0]["witnessed"] == size  # type: ignore[index]
    assert status(owner)["witnessed_to"] == size


def test_a_store_from_before_witnesses_verifies_as_ever(owner: Owner) -> None:
    assert not (owner.store / "cosigned").exists()
    assert owner.run("verify").code == 0
    assert status(owner)["witnessed_to"] == 0
    assert "witness" not in owner.run("search", "first").err


def test_bare_signature_lines_of_an_http_witness_are_taken_with_the_request(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    _, request = owner.ask("w1")
    _, answer = owner.sign("w1", request)
    lines = answer.with_name("lines")
    lines.write_text(parse_note(answer.read_bytes()).signatures[-1].line())
    assert owner.take(lines).code == 3
    taken = owner.run("witness", "take", str(lines), "--request", str(request))
    assert taken.code == 0, taken.err
    assert owner.run("verify").code == 0


def test_calls_that_say_too_little_are_refused_with_what_is_missing(owner: Owner) -> None:
    owner.hire("w1", quorum="quorum w1")
    _, request = owner.ask("w1")
    folder = str(owner.base / "w1")
    for words, missing in (
        (["witness", "init", "--name", "a.example/w"], "--witness"),
        (["witness", "init", "--witness", folder, "--name", "a.example/w"], "already"),
        (["witness", "init", "--witness", folder + "x", "--name", "a b"], "can not name"),
        (["witness", "cosign", str(request), "--witness", folder, "-o", "x"], "--policy"),
        (["witness", "cosign", "--witness", folder, "-o", "x"], "one request"),
        (["witness", "cosign", "/nowhere", "--witness", folder, "-o", "x"], "--policy"),
        (["witness", "take"], "came back"),
        (["witness", "request", "-o", "x", "--by", "nobody"], "no witness 'nobody'"),
    ):
        answer = owner._run(*words, *([] if "cosign" in words else ["--insecure-no-passphrase"]))
        if words[1] in ("take", "request"):
            answer = owner.run(*words)
        assert answer.code == 3, words
        assert missing in answer.err, words


def test_a_witness_with_a_passphrase_signs_only_with_it(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = owner.base / "secret"
    secret.write_text("long enough\n")
    secret.chmod(0o600)
    folder = str(owner.base / "w1")
    words = ["witness", "init", "--witness", folder, "--name", "audit.example/w1", "--json"]
    made = owner._run(*words, "--passphrase-file", str(secret))
    policy = owner.policy.read_text().replace(
        "quorum none", f"{made.objects[0]['policy_line']}\nquorum w1"
    )
    owner.policy.write_text(policy)
    _, request = owner.ask("w1")
    monkeypatch.setenv("AIRCON_PASSPHRASE", "wrong")
    assert owner.sign("w1", request)[0].code == 2
    monkeypatch.setenv("AIRCON_PASSPHRASE", "long enough")
    signed, answer = owner.sign("w1", request)
    assert signed.code == 0, signed.err
    assert owner.take(answer).code == 0


def _newest(owner: Owner) -> Path:
    return owner.cosigned()[-1]


def _request_note(owner: Owner) -> bytes:
    _, request = owner.ask("w1", "--old", "0")
    return parse_add_checkpoint(request.read_bytes()).checkpoint


def test_the_console_script_knows_the_verb() -> None:
    assert main(["witness", "--help"]) == 0
