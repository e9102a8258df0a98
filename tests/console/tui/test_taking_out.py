"""What leaves the console: copies that claim nothing, exports that are recorded first."""

from __future__ import annotations

import csv
import json
import stat
import subprocess

import pyarrow.parquet as pq
import pytest
from support.console_pilot import press, screen_of, seen, settle
from support.fake_explorer import HOSTILE, session

from console.tui import clipboard
from logstore.errors import UsageError


async def _export(pilot, path, key):
    await press(pilot, "e", key)
    pilot.app.screen.query_one("SafeInput").value = str(path)
    await press(pilot, "enter")
    await settle(pilot)


@pytest.mark.parametrize(("key", "ending"), [("c", "csv"), ("j", "jsonl"), ("p", "parquet")])
async def test_an_export_writes_every_row_of_the_selection_and_is_recorded(
    open_console, tmp_path, key, ending
):
    fake = session(5_000)
    target = tmp_path / f"out.{ending}"
    async with open_console(fake) as pilot:
        await press(pilot, "exclamation_mark")
        await _export(pilot, target, key)
        assert "Exported 294 rows" in seen(pilot)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    if ending == "csv":
        assert len(list(csv.reader(target.read_text("utf-8").splitlines(keepends=True)))) == 295
    elif ending == "jsonl":
        rows = [json.loads(text) for text in target.read_text().splitlines()]
        assert len(rows) == 294
        assert rows[0]["error_type"] == "RateLimitError"
    else:
        assert pq.read_table(target).num_rows == 294
    (kind, facts), *rest = fake.accesses
    assert kind == "access.export"
    assert not rest
    assert facts["rows"] == 294
    assert facts["filter"] == "kind:interaction is:error"


async def test_no_export_without_its_record(open_console, tmp_path):
    fake = session(50)
    fake.access_fails = True
    async with open_console(fake) as pilot:
        await _export(pilot, tmp_path / "out.csv", "c")
        assert "could not be recorded" in seen(pilot)
    assert not (tmp_path / "out.csv").exists()


async def test_an_export_never_replaces_a_file(open_console, tmp_path):
    (tmp_path / "out.csv").write_text("mine")
    async with open_console(session(50)) as pilot:
        await _export(pilot, tmp_path / "out.csv", "c")
        assert "exists already" in seen(pilot)
    assert (tmp_path / "out.csv").read_text() == "mine"


async def test_a_hostile_export_is_defused_as_csv_and_exact_as_json(open_console, tmp_path):
    async with open_console(session(3, hostile=True)) as pilot:
        await _export(pilot, tmp_path / "out.csv", "c")
        await _export(pilot, tmp_path / "out.jsonl", "j")
    text = (tmp_path / "out.csv").read_bytes()
    assert b"\x1b" not in text
    assert "\u202e".encode() not in text
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows[0]["user"].endswith(HOSTILE)
    assert (tmp_path / "out.jsonl").read_bytes().isascii()


async def test_one_record_can_be_taken_whole(open_console, tmp_path):
    async with open_console(session(20), (160, 50)) as pilot:
        await _export(pilot, tmp_path / "one.json", "r")
    value = json.loads((tmp_path / "one.json").read_text())
    assert value["interaction"]["response_id"] == "resp_19"
    assert json.loads(value["leaf"])["index"] == 19


async def test_a_copy_over_osc52_does_not_claim_to_have_arrived(open_console):
    async with open_console(session(20)) as pilot:
        row = screen_of(pilot).row
        await press(pilot, "y", "i")
        assert pilot.app.clipboard == row.id
        assert "Copied" not in seen(pilot)
        assert "does not confirm" in " ".join(seen(pilot).split())


async def test_a_copy_of_the_view_can_go_to_a_file(open_console, tmp_path):
    async with open_console(session(20), (160, 50)) as pilot:
        await press(pilot, "y", "f")
        pilot.app.screen.query_one("SafeInput").value = str(tmp_path / "view.txt")
        await press(pilot, "enter")
        assert "Written to" in seen(pilot)
    assert "You are a helpful support assistant." in (tmp_path / "view.txt").read_text()


def test_only_tmux_itself_counts_as_copied(monkeypatch):
    sent = []
    inside = {"TMUX": "/tmp/tmux-0/default,1,0"}
    monkeypatch.setattr(clipboard.shutil, "which", lambda _: "/usr/bin/tmux")

    def refuses(*args, **kwargs):
        raise subprocess.CalledProcessError(1, "tmux")

    monkeypatch.setattr(clipboard.subprocess, "run", refuses)
    outcome = clipboard.copy("x", sent.append, inside)
    assert not outcome.done
    assert sent == ["x"]
    monkeypatch.setattr(clipboard.subprocess, "run", lambda *args, **kwargs: None)
    outcome = clipboard.copy("y", sent.append, inside)
    assert outcome.done
    assert sent == ["x"]
    assert "tmux buffer" in outcome.say


def test_more_than_a_terminal_takes_is_refused_in_words():
    sent = []
    outcome = clipboard.copy("x" * 80_000, sent.append, {})
    assert not outcome.done
    assert not sent
    assert "80,000 bytes" in outcome.say


def test_a_copy_never_replaces_a_file(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(UsageError):
        clipboard.to_file("x", tmp_path / "a")
