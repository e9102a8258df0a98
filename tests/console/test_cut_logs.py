"""An unsealed tail that was cut off is noticed by whoever remembers it, and admitted otherwise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.commands import line

from console.__main__ import main


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A store whose write-ahead file lost its end, frame and all, and was never verified before."""
    store, logs = tmp_path / "evidence", tmp_path / "logs.jsonl"
    logs.write_text("".join(line(f"question {n}", "answer", "maria") + "\n" for n in range(40)))
    assert main(["init", str(store), "--insecure-no-passphrase", "--origin", "t.example/cut"]) == 0
    wal = next((store / "wal").rglob("*.wal"))
    before = wal.stat().st_size
    assert main(["import", str(logs), "--store", str(store)]) == 0
    assert wal.stat().st_size > before
    with wal.open("r+b") as file:
        file.truncate(before)
    return store


def test_the_key_store_beside_it_tells_without_a_passphrase(
    cut: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["verify", "--store", str(cut), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert "truncated" in {finding["code"] for finding in report["findings"]}
    assert main(["verify", "--quick", "--store", str(cut)]) == 1


def test_with_no_memory_at_all_the_report_says_what_it_can_not_know(
    cut: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(cut.with_name("evidence.keys"))
    capsys.readouterr()
    assert main(["verify", "--store", str(cut)]) == 0
    assert "nothing was cut off the end" in capsys.readouterr().out
    main(["verify", "--store", str(cut)])
    assert "nothing was cut off the end" not in capsys.readouterr().out, "remembered by now"
