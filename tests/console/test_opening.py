"""An open store opens lazily, records what is looked at, and is what the console asks for."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from console import access, opening
from console.access import AccessRecorder
from console.opening import OpenStore
from logstore.errors import NotDurable, PassphraseWrong, UsageError
from logstore.query.access import AccessEvent


def _args(store: Path, **more: object) -> Namespace:
    given = {
        "store": str(store), "keys": None, "policy": None, "log": None, "passphrase_fd": None,
        "passphrase_file": None, "insecure_no_passphrase": False, "clear_only": False,
        "reason": None,
    }  # fmt: skip
    return Namespace(**(given | more))


def _accesses(store: OpenStore, since: int) -> list[tuple[str, str, dict[str, object]]]:
    store.reader.refresh()
    found = store.reader.contents(since, store.reader.size - since)
    return [
        (leaf.kind, leaf.by, opened.note)  # type: ignore[union-attr]
        for _, leaf, opened in found
        if leaf.kind.startswith("access.")
    ]


def test_places_follow_the_options_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(opening.VARIABLE, raising=False)
    assert opening.places(Namespace(store=None)).store == tmp_path / "evidence"
    monkeypatch.setenv(opening.VARIABLE, str(tmp_path / "elsewhere"))
    assert opening.places(Namespace(store=None)).keys == tmp_path / "elsewhere.keys"
    chosen = opening.places(Namespace(store="s", keys="k", policy="p"))
    assert (chosen.store, chosen.keys, chosen.policy) == (
        tmp_path / "s",
        tmp_path / "k",
        tmp_path / "p",
    )


def test_nothing_is_opened_before_it_is_asked_for(made_store: Path) -> None:
    with OpenStore(_args(made_store), "test") as store:
        assert not {"keys", "reader", "engine", "recorder"} & set(vars(store))
        assert store.name == "t.example/log"
        assert "engine" not in vars(store)


def test_the_default_store_needs_no_name(made_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenStore(_args(made_store), "test") as store:
        assert store.store == str(made_store)
        monkeypatch.setenv(opening.VARIABLE, str(made_store))
        assert store.store == ""


def test_the_console_unlocks_a_store_that_was_opened_clear(made_store: Path) -> None:
    with OpenStore(_args(made_store, clear_only=True), "test") as store:
        assert store.locked
        assert store.engine.content is False
        store.unlock(b"ignored: this store has no passphrase")
        assert not store.locked
        assert store.engine.content is True
        extent = store.extent()
        assert extent.size == extent.signed >= extent.sealed > 0
        assert extent.witnessed == 0


def test_the_consoles_check_says_that_it_opened_no_content_and_what_does(
    made_store: Path,
) -> None:
    with OpenStore(_args(made_store, insecure_no_passphrase=True), "console") as store:
        found = store.verify(lambda _done, _total: None, lambda: False)
    assert found.state == "verified"
    (said,) = [line for line in found.lines if "content opens" in line]
    assert said.endswith("this check opened none; `aircon verify --content` does")


def test_a_wrong_passphrase_leaves_the_store_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.__main__ import main

    monkeypatch.setenv("AIRCON_PASSPHRASE", "right")
    assert main(["init", str(tmp_path / "evidence")]) == 0
    with OpenStore(_args(tmp_path / "evidence", clear_only=True), "test") as store:
        with pytest.raises(PassphraseWrong):
            store.unlock(b"wrong")
        assert store.locked
        store.unlock(b"right")
        assert not store.locked


def test_the_same_question_is_recorded_once_in_ten_minutes(
    made_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRCON_OPERATOR", "nina")
    now = [0.0]
    with OpenStore(_args(made_store, reason="case 9"), "test") as store:
        since = store.reader.size
        recorder = AccessRecorder(
            made_store, store._writing_keys, store._args, "test", clock=lambda: now[0]
        )
        recorder(AccessEvent("search", "user maria", rows=2))
        recorder(AccessEvent("rows", "user maria", rows=2, indexes_read=(3, 4)))
        recorder(AccessEvent("rows", "user maria", rows=1, indexes_read=(9,)))
        recorder(AccessEvent("detail", "record 3", rows=1, indexes_read=(3,)))
        recorder(AccessEvent("detail", "record 4", rows=1, indexes_read=(4,)))
        now[0] = 601.0
        recorder(AccessEvent("search", "user maria", rows=2))
        recorder.close()
        found = _accesses(store, since)
    assert [(kind, by) for kind, by, _ in found] == [
        ("access.query", "nina"),
        ("access.decrypt", "nina"),
        ("access.decrypt", "nina"),
        ("access.query", "nina"),
    ]
    assert found[0][2] == {"reason": "case 9", "command": "test", "text": "user maria"}
    assert found[1][2]["records"] == [3]


def test_a_question_that_could_not_be_recorded_is_not_taken_for_recorded(
    made_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenStore(_args(made_store), "test") as store:
        recorder = store.recorder
        assert recorder is not None
        event = AccessEvent("search", "only once, please")
        with monkeypatch.context() as broken:
            broken.setattr(recorder, "_append", _refuse)
            for _ in range(2):
                with pytest.raises(NotDurable):
                    recorder(event)
        since = store.reader.size
        recorder(event)
        assert len(_accesses(store, since)) == 1


def _refuse(*_: object) -> None:
    raise NotDurable("the disk refused")


def test_the_question_stands_in_no_clear_field(made_store: Path) -> None:
    with OpenStore(_args(made_store, reason="about maria"), "test") as store:
        assert store.recorder is not None
        since = store.reader.size
        store.recorder(AccessEvent("sql", "SELECT 'maria@example.org'", rows=1))
        store.reader.refresh()
        raw = b"".join(store.reader.leaves(since, 10))
    assert b"access.query" in raw
    assert b"maria" not in raw


def test_who_looks_is_the_operator_else_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRCON_OPERATOR", "nina")
    assert access.operator() == "nina"
    monkeypatch.delenv("AIRCON_OPERATOR")
    assert access.operator()
    for wrong in ("x" * 101, "a\x1bb", "  "):
        monkeypatch.setenv("AIRCON_OPERATOR", wrong)
        with pytest.raises(UsageError):
            access.operator()
