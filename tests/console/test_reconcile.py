"""`aircon reconcile` on a real store: counts, lists, exit codes, and its own record."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import HOSTILE, Aircon, Answer, line

from console.__main__ import main

HOUR_US = 3_600_000_000
START = 1_795_000_000_000_000


def said(at: int, **more: Any) -> str:
    known = {
        "start_us": START + at * HOUR_US // 4,
        "end_us": START + at * HOUR_US // 4 + 1_000,
        "response_id": f"resp-{at:016d}",
        "usage": {"input_tokens": 100 + at, "output_tokens": 5},
    }
    return line(f"question {at}", f"answer {at}", "maria", **(known | more))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = tmp_path / "evidence"
    logs = tmp_path / "app.jsonl"
    logs.write_text("\n".join(said(at) for at in range(8)) + "\n")
    assert main(["init", str(made), "--insecure-no-passphrase", "--origin", "t.example/log"]) == 0
    assert main(["import", str(logs), "--store", str(made)]) == 0
    return made


@pytest.fixture
def ask(store: Path, capsys: pytest.CaptureFixture[str]) -> Aircon:
    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main([words[0], "--store", str(store), *words[1:]])
        shown = capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    return run


def written(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "gateway.jsonl"
    path.write_text("".join(f"{each}\n" for each in lines))
    return str(path)


def test_a_complete_log_ends_with_0(ask: Aircon, tmp_path: Path) -> None:
    found = ask("reconcile", "--against", written(tmp_path, *(said(at) for at in range(8))))
    assert found.code == 0
    assert "8 calls in both, 0 more likely" in found.err


def test_what_each_side_lacks_is_counted_by_hour_and_model(ask: Aircon, tmp_path: Path) -> None:
    loose = said(7, response_id=None, start_us=START + 7 * HOUR_US // 4 + 1_500_000)
    other = written(
        tmp_path, *(said(at) for at in (0, 1, 2)), said(20, response_model="gpt-x"), loose
    )
    found = ask("reconcile", "--against", other, "--json")
    assert found.code == 7
    assert [sum(int(str(row[name])) for row in found.objects) for name in ("both", "likely")] == [
        3,
        1,
    ]
    assert sum(int(str(row["only_log"])) for row in found.objects) == 4
    by_model = ask("reconcile", "--against", other, "--by", "model", "--json").objects
    assert {row["model"]: row["only_other"] for row in by_model} == {
        "gpt-x": 1,
        "gpt-5-2026-08-01": 0,
    }


def test_the_missing_are_listed_with_their_place(ask: Aircon, tmp_path: Path) -> None:
    other = written(tmp_path, *(said(at) for at in range(1, 8)), said(9))
    found = ask("reconcile", "--against", other, "--missing", "--json")
    assert found.code == 7
    assert [(row["missing_in"], row["place"]) for row in found.objects] == [
        ("other", found.objects[0]["place"]),
        ("log", f"{other}, line 8"),
    ]
    assert str(found.objects[0]["place"]).startswith("#")
    rows = list(
        csv.reader(io.StringIO(ask("reconcile", "--against", other, "--missing", "--csv").out))
    )
    assert rows[0] == ["missing_in", "time", "model", "place"]
    assert len(rows) == 3


def test_a_missing_call_is_named_by_its_file(ask: Aircon, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    for name, calls in (("a", (0, 20)), ("b", ()), ("c", (21, 1))):
        (folder / f"{name}.jsonl").write_text("".join(f"{said(at)}\n" for at in calls))
    found = ask("reconcile", "--against", str(folder), "--missing", "--json").objects
    assert [row["place"] for row in found if row["missing_in"] == "log"] == [
        f"{folder / 'a.jsonl'}, line 2",
        f"{folder / 'c.jsonl'}, line 1",
    ]


def test_a_source_is_a_name_and_no_sql(ask: Aircon, tmp_path: Path) -> None:
    other = written(tmp_path, said(0))
    for name in ("o'brien", "' OR true --", "a\\", "100%"):
        found = ask("reconcile", "--against", other, "--source", name)
        assert found.code == 7
        assert "0 calls in both, 0 more likely" in found.err
        assert "0 only in the log, 1 only in" in found.err
    whole = ask("reconcile", "--against", other, "--source", "*")
    assert "1 calls in both" in whole.err


def test_only_a_time_is_compared(ask: Aircon, tmp_path: Path) -> None:
    other = written(tmp_path, *(said(at) for at in range(4)))
    assert ask("reconcile", "--against", other).code == 7
    until = "2026-11-18T12:26:40Z"  # START is 2026-11-18T11:06:40Z
    found = ask("reconcile", "--against", other, "--until", until, "--json")
    assert sum(int(str(row["both"])) for row in found.objects) > 0
    assert found.code in (0, 7)


def test_nothing_of_the_other_source_is_stored_and_the_question_is_recorded(
    ask: Aircon, tmp_path: Path
) -> None:
    other = written(tmp_path, said(99))
    ask("reconcile", "--against", other, "--reason", "monthly check")
    assert ask("search", "question 99", "--json").out == ""
    events = ask("sql", "--json", "SELECT note FROM events WHERE kind = 'access.query'").objects
    notes = [json.loads(str(row["note"])) for row in events if row["note"]]
    mine = [note for note in notes if note.get("command") == "reconcile"]
    assert mine[0]["reason"] == "monthly check"
    assert other in mine[0]["text"]


def test_hostile_names_and_lines_reach_no_terminal(ask: Aircon, tmp_path: Path) -> None:
    other = written(tmp_path, said(50, response_model=HOSTILE), "not json at all")
    for form in ([], ["--wide"], ["--csv"], ["--json"]):
        for listing in (["--missing"], ["--by", "model"]):
            found = ask("reconcile", "--against", other, *listing, *form)
            assert found.code == 7
            assert "1 pieces" in found.err
            for text in (found.out, found.err):
                assert not {"\x1b", "\u202e", "\x9b", "\x07"} & set(text)


def test_what_cannot_be_compared_is_no_success(ask: Aircon, tmp_path: Path) -> None:
    other = written(tmp_path, *(said(at) for at in range(8)), "not json at all")
    found = ask("reconcile", "--against", other)
    assert found.code == 2
    assert "not-json 1" in found.err


def test_two_sources_of_one_log(ask: Aircon, store: Path, tmp_path: Path) -> None:
    gateway = written(tmp_path, *(said(at, format="litellm", grade="gateway") for at in range(6)))
    assert main(["import", gateway, "--store", str(store)]) == 0
    sources = [
        str(row["source"])
        for row in ask("sql", "--json", "SELECT DISTINCT source FROM interactions").objects
    ]
    found = ask("reconcile", "--between", *sorted(sources), "--json")
    totals = [sum(int(str(row[name])) for row in found.objects) for name in ("both", "only_log")]
    assert totals[0] == 6
    assert found.code == 7
    once = ask("sql", "--json", "SELECT count(*) AS n FROM calls").objects
    assert once == [{"n": 8}]


@pytest.mark.parametrize(
    "words", [[], ["--against", "x", "--between", "a", "b"], ["--against", "/no/such/file"]]
)
def test_a_wrong_call_says_what_is_wrong(ask: Aircon, words: list[str]) -> None:
    assert ask("reconcile", *words).code == 3
