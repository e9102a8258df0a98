"""`aircon doctor` about who may send, and who vouches for the log beside its own key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.commands import Aircon
from support.witnessing import Owner

from console import doctoring


def says(owner: Owner, name: str, *options: str | Path) -> tuple[str, str, int]:
    """(state, words, exit code) of one check."""
    answer = owner.run("doctor", "--json", *map(str, options))
    (found,) = [row for row in answer.objects if row["check"] == name]
    return str(found["state"]), str(found["says"]), answer.code


@pytest.fixture
def owner(aircon: Aircon, tmp_path: Path) -> Owner:
    return Owner(tmp_path, aircon)


def test_doctor_says_who_can_let_others_send(owner: Owner) -> None:
    file = owner.base / "evidence.tokens"
    assert says(owner, "token file")[:2] == (
        "ok",
        f"none at {file}; one elsewhere needs --token-file",
    )
    assert owner.run("token", "add", "gateway").code == 0
    assert says(owner, "token file")[:2] == ("ok", f"1 tokens in {file}, closed to others")

    for mode, words in ((0o620, "can write"), (0o602, "can write"), (0o640, "can read")):
        file.chmod(mode)
        state, said, code = says(owner, "token file")
        assert (state, code) == ("bad", 2)
        assert words in said
        assert "chmod 600" in said
    file.chmod(0o600)

    owner.base.chmod(0o777)
    state, said, _ = says(owner, "token file")
    assert (state, "another file in its place" in said) == ("bad", True)
    owner.base.chmod(0o1777)  # as /tmp: nobody can move a file that is not theirs
    assert says(owner, "token file")[0] == "ok"

    file.write_bytes(b"{}")
    state, said, _ = says(owner, "token file")
    assert (state, "not a token file" in said) == ("bad", True)


def test_doctor_looks_at_the_token_file_that_it_is_told(owner: Owner) -> None:
    file = owner.base / "elsewhere"
    there = ("token file", "--token-file", file)
    missing = f"{file} is not there to look at: No such file or directory"
    assert says(owner, *there) == ("bad", missing, 2)
    assert owner.run("token", "add", "gateway", "--token-file", str(file)).code == 0
    assert says(owner, *there)[:2] == ("ok", f"1 tokens in {file}, closed to others")
    file.chmod(0o640)
    assert says(owner, *there)[0] == "bad"
    assert says(owner, "token file")[:2] == (
        "ok",
        f"none at {owner.base / 'evidence.tokens'}; one elsewhere needs --token-file",
    )


def test_a_token_file_of_somebody_else_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    found = doctoring._tokens(file)
    if me == 0:  # root may own anything
        os.chown(file, 12_345, -1)
        found = doctoring._tokens(file)
    assert found.state == "bad"
    assert "belongs to user" in found.says


def test_doctor_says_how_far_the_quorum_has_cosigned(owner: Owner) -> None:
    state, said, _ = says(owner, "witnesses")
    assert (state, "asks for none" in said) == ("warn", True)

    owner.hire("one", "two", quorum="group both all one two\nquorum both")
    state, said, code = says(owner, "witnesses")
    assert (state, code) == ("bad", 2)
    assert "cosigned 0 of" in said
    assert owner.cosign("one").code == 0
    assert says(owner, "witnesses")[0] == "bad"  # one of two is no quorum
    assert owner.cosign("two").code == 0
    state, said, _ = says(owner, "witnesses")
    assert (state, "has cosigned all" in said) == ("ok", True)

    owner.grow("second")
    state, said, _ = says(owner, "witnesses")
    assert state == "warn"
    assert "aircon witness request" in said
