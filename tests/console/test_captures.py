"""What the command line says of calls that were recorded several times, or only pointed at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Aircon, Answer, line
from support.otlp_made import span

from console.__main__ import main

ASKED = '[{"role":"user","parts":[{"type":"text","content":"where is the parcel?"}]}]'


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Aircon:
    store = tmp_path / "evidence"
    assert main(["init", str(store), "--insecure-no-passphrase", "--origin", "t.example/log"]) == 0

    def run(*words: str) -> Answer:
        capsys.readouterr()
        code = main([words[0], "--store", str(store), *words[1:]])
        shown = capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    return run


def written(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{each}\n" for each in lines))
    return str(path)


def test_show_says_that_a_record_is_one_of_several_of_one_call(ask: Aircon, tmp_path: Path) -> None:
    known = {"response_id": "resp-0123456789abcdef"}
    twice = [line("hello", "hi", "maria", **known)] * 2
    assert ask("import", written(tmp_path / "logs.jsonl", *twice)).code == 0
    first, second = (int(str(row["index"])) for row in ask("search", "hello", "--json").objects)
    shown = " ".join(ask("show", str(first)).out.split())
    assert f"one of 2 records of one call; also #{second}; this one is counted" in shown
    shown = " ".join(ask("show", str(second)).out.split())
    assert f"also #{first}; #{first} is counted" in shown
    (told,) = ask("show", str(first), "--json").objects
    assert (told["same_call"], told["counted"]) == ([second], first)
    assert ask("sql", "--json", "SELECT count(*) AS n FROM calls").objects == [{"n": 1}]
    assert ask("sql", "--json", "SELECT count(*) AS n FROM interactions").objects == [{"n": 2}]


def test_an_import_seals_content_that_spans_point_at(ask: Aircon, tmp_path: Path) -> None:
    place = tmp_path / "content"
    place.mkdir()
    (place / "in.json").write_text(ASKED)
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"}
    refs = [f"file://{place}/in.json", "file:///etc/hostname", f"file://{place}/gone.json"]
    spans = [
        json.dumps(span(known | {"gen_ai.input.messages_ref": ref}, spanId=f"{at + 1:016x}"))
        for at, ref in enumerate(refs)
    ]
    logs = written(tmp_path / "spans.jsonl", *spans)
    done = ask("import", logs, "--fetch-from", f"file://{place}/")
    assert done.code == 0
    (found,) = ask("search", "parcel", "--json").objects
    assert found["input_preview"] == "where is the parcel?"
    assert "content-by-reference" not in str(found["gaps"])
    rows = ask("sql", "--json", "SELECT capture_gaps FROM interactions ORDER BY index").objects
    gaps = [
        {gap for gap in map(str, row["capture_gaps"]) if "reference" in gap}  # type: ignore[call-overload]
        for row in rows
    ]
    assert gaps == [
        set(),
        {"content-by-reference", "reference-not-allowed"},
        {"content-by-reference", "reference-not-found"},
    ]
    shown = " ".join(ask("show", "--json", str(found["index"])).out.split())
    assert "where is the parcel?" in shown


def test_a_place_that_is_none_imports_nothing(ask: Aircon, tmp_path: Path) -> None:
    logs = written(tmp_path / "logs.jsonl", line("hello", "hi", "maria"))
    done = ask("import", logs, "--fetch-from", "/srv/content")
    assert done.code == 3
    assert "no location" in done.err
    assert ask("search", "hello", "--json").out == ""
