"""Stores for the command line's tests, made by the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import HOSTILE, Aircon, Answer, line

from console.__main__ import main
from logstore.disk import is_immutable, set_immutable


@pytest.fixture(scope="session", autouse=True)
def _removable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take the immutable flag off everything afterwards, or nobody could remove it."""
    yield
    for path in tmp_path_factory.getbasetemp().rglob("*"):
        if path.is_file() and not path.is_symlink() and is_immutable(path):
            set_immutable(path, on=False)


@pytest.fixture(scope="session")
def made_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed store of four interactions, one of them hostile in every field."""
    base = tmp_path_factory.mktemp("verbs")
    store = base / "evidence"
    logs = base / "logs.jsonl"
    lines = [
        line("refund policy?", "Thirty days.", "maria"),
        line("请总结这份合同", "好的。", "王小明"),
        line("again, the refund", "Still thirty days.", "maria"),
        line(
            HOSTILE,
            HOSTILE,
            f"eve {HOSTILE}",
            application=HOSTILE,
            response_model=HOSTILE,
            error_message=HOSTILE,
            error_type=HOSTILE,
            tool_names=[HOSTILE],
            conversation_id=HOSTILE,
        ),
    ]
    logs.write_text("\n".join(lines) + "\n")
    assert main(["init", str(store), "--insecure-no-passphrase", "--origin", "t.example/log"]) == 0
    assert main(["import", str(logs), "--store", str(store)]) == 0
    assert main(["seal", "--store", str(store)]) == 0
    return store


@pytest.fixture
def store(made_store: Path) -> Path:
    """The store that `aircon` works on; a test that changes it has one of its own."""
    return made_store


@pytest.fixture
def aircon(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Aircon:
    """Run `aircon` on that store."""
    monkeypatch.setenv("AIRCON_STORE", str(store))
    monkeypatch.setenv("AIRCON_OPERATOR", "tester")

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main(list(words))
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
