"""`aircon hold` and `aircon retention`, as a lawyer and a records manager use them."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from pathlib import Path

import pytest
from support.commands import HOSTILE, Aircon
from support.old_store import OldStore


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store whose first two segments have outlived their retention."""
    made = OldStore(tmp_path)
    made.make()
    made.path.with_name("evidence.policy").write_text(made.policy().text())
    return made.path


def said(aircon: Aircon, kind: str) -> list[dict[str, object]]:
    asked = f"SELECT kind, recorded_by, clear, note FROM events WHERE kind = '{kind}'"
    return aircon("sql", f"{asked} ORDER BY index", "--json").objects


def bodies(store: Path) -> int:
    return len(list(store.glob("body/**/*.parquet")))


def test_a_hold_from_its_beginning_to_its_end(aircon: Aircon) -> None:
    words = ("--records", "0-1,3", "--review", "2999-01-31", "--then", "7y")
    made = aircon("hold", "add", *words, "--reason", "case 17: Ms. Adler", "--json")
    assert made.code == 0
    (facts,) = made.objects
    assert facts["state"] == "in force"
    assert facts["records"] == "0-1,3"
    number = str(facts["hold"])
    (row,) = aircon("hold", "list", "--json").objects
    assert (row["hold"], row["review"], row["then days"]) == (int(number), "2999-01-31", 2557)
    assert row["segments"] == 2
    assert row["by"] == "tester"
    released = aircon("hold", "release", number, "--reason", "settled")
    assert released.code == 0
    assert "released by record" in aircon("hold", "list").out
    (placed,) = said(aircon, "hold.placed")
    note = json.loads(str(placed["note"]))
    assert note["reason"] == "case 17: Ms. Adler"
    assert "records 0-1,3" in note["asked"]
    assert "Adler" not in str(placed["clear"])
    assert aircon("verify").code == 0


def test_a_period_is_held_with_what_comes_unless_it_has_an_end(aircon: Aircon) -> None:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    made = aircon("hold", "add", "--since", today, "--reason", "open", "--json").objects[0]
    first, end = str(made["records"]).split("-")
    assert (int(first) > 0, end) == (True, ""), "not what is from long ago, but all that comes"
    ended = aircon("hold", "add", "--until", "2020-01-01", "--reason", "none")
    assert ended.code == 3
    assert "no record is of that period" in ended.err
    long_ago = aircon("hold", "add", "--until", today, "--reason", "all", "--json").objects[0]
    assert str(long_ago["records"]).startswith("0-")


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (("add", "--records", "0"), "a reason"),
        (("add", "--reason", "x"), "which records"),
        (("add", "--reason", "x", "--records", "0", "--since", "2d"), "which records"),
        (("add", "--reason", "x", "--records", "9-3"), "ends before it begins"),
        (("add", "--reason", "x", "--records", "a-b"), "names no records"),
        (("add", "--reason", "x", "--records", "0-99999"), "records"),
        (("add", "--reason", "x", "--records", "0", "--review", "soon"), "not a day"),
        (("add", "--reason", "x", "--records", "0", "--review", "2020-01-01"), "over already"),
        (("add", "--reason", "x", "--records", "0", "--then", "long"), "span of time"),
        (("add", "7", "--reason", "x"), "takes no number"),
        (("release", "--reason", "x"), "needs the number"),
        (("release", "0", "--reason", "x"), "no hold 0 is in force"),
        (("list", "--records", "0"), "belongs to"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_held(
    aircon: Aircon, words: tuple[str, ...], needs: str
) -> None:
    answer = aircon("hold", *words)
    assert answer.code == 3
    assert needs in answer.err
    assert "Traceback" not in answer.err
    assert aircon("hold", "list", "--json").objects == []


def test_holds_are_set_anew_on_demand(aircon: Aircon) -> None:
    assert aircon("hold", "finish", "--json").objects == [{"objects": 0}]
    aircon("hold", "add", "--records", "0", "--reason", "x")
    assert int(str(aircon("hold", "finish", "--json").objects[0]["objects"])) > 0
    assert aircon("hold", "finish", "7").code == 3


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of the usual width."""
    monkeypatch.setattr("console.output._terminal_width", lambda: 80)


def test_in_a_usual_terminal_nothing_that_matters_is_cut(
    aircon: Aircon, narrow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = ",".join(map(str, range(0, 5, 2)))
    words = ("--records", many, "--review", "2999-01-31", "--then", "7y", "--reason", "case 17")
    plan = aircon("retention", "plan")
    monkeypatch.setenv("AIRCON_OPERATOR", "a.very.long.name@legal.department.example.com")
    made = aircon("hold", "add", *words, "--json").objects[0]
    listed = aircon("hold", "list")
    for answer in plan, listed:
        assert max(map(len, answer.out.splitlines())) <= 80
    today = dt.datetime.now(dt.UTC).date().isoformat()
    (row,) = (text for text in listed.out.splitlines() if text.split()[0] == str(made["hold"]))
    for whole in today, "2999-01-31", "2557", "in force":
        assert whole in row
    assert "--wide shows all" in listed.out
    whole = aircon("hold", "list", "--wide").out
    assert "a.very.long.name@legal.department.example.com" in whole
    assert str(made["records"]) in whole
    assert "shortened" not in plan.out
    assert "seg-000000000000-" in plan.out
    assert "Names are those below body/log=" in plan.err


def test_the_command_that_a_plan_proposes_can_be_run_as_it_is(
    aircon: Aircon, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRCON_STORE")
    words = ("--store", str(store), "--before", dt.datetime.now(dt.UTC).date().isoformat())
    said = aircon("retention", "plan", *words).err
    (proposed,) = (text for text in said.splitlines() if "retention apply" in text)
    assert said.splitlines()[-2].startswith("2 objects, ")
    _, *call = shlex.split(proposed.replace("...", "old"))
    assert aircon(*call).code == 0
    assert bodies(store) == 1


def test_a_hold_that_is_to_be_reviewed_is_pointed_out(
    aircon: Aircon,
) -> None:
    today = dt.datetime.now(dt.UTC).date().isoformat()
    aircon("hold", "add", "--records", "0", "--review", today, "--reason", "x")
    assert f"was to be reviewed on {today}" in aircon("hold", "list").err
    assert aircon("status", "--json").objects[0]["holds_in_force"] == 1


def test_a_hostile_reason_does_nothing_to_the_terminal(aircon: Aircon) -> None:
    reason = HOSTILE.replace("\x00", "").replace("\ud83d\ude00", "")
    made = aircon("hold", "add", "--records", "0", "--reason", reason)
    assert made.code == 0
    number = json.loads(aircon("hold", "list", "--json").out)["hold"]
    shown = aircon("show", str(number))
    for each in "\x1b", "\x07", "\u202e":
        assert each not in made.out + made.err + shown.out


def test_retention_from_plan_to_proof(aircon: Aircon, store: Path) -> None:
    assert "old" not in aircon("retention", "plan").err
    made = aircon("retention", "plan", "--json").objects[0]
    assert [each["first"] for each in made["objects"]] == [0, 3]  # type: ignore[attr-defined]
    digest = str(made["digest"])
    assert digest in aircon("retention", "plan").err
    refused = aircon("retention", "apply", "0" * 64, "--reason", "x")
    assert refused.code == 3
    assert "Nothing was removed." in refused.err
    assert bodies(store) == 3
    applied = aircon("retention", "apply", digest, "--reason", "thirteen months", "--json")
    assert applied.code == 0
    assert applied.objects[0]["removed"] == 2
    assert bodies(store) == 1
    verified = aircon("verify")
    assert verified.code == 0
    assert "retention rule: content is kept 200 days" in verified.out
    assert aircon("retention", "plan", "--json").objects[0]["objects"] == []
    (record,) = said(aircon, "retention.applied")
    assert json.loads(str(record["clear"]))["digest"] == digest
    assert json.loads(str(record["note"]))["reason"] == "thirteen months"
    finished = aircon("retention", "finish")
    assert (finished.code, finished.out) == (0, "")
    assert "No removal was broken off." in finished.err


def test_a_plan_of_yesterday_is_good_with_its_cutoff(aircon: Aircon, store: Path) -> None:
    day = (dt.datetime.now(dt.UTC) - dt.timedelta(days=3)).date().isoformat()
    made = aircon("retention", "plan", "--before", day)
    digest = str(aircon("retention", "plan", "--before", day, "--json").objects[0]["digest"])
    assert f"apply {digest} --before {day}" in made.err
    assert aircon("retention", "apply", digest, "--reason", "x").code == 3
    assert aircon("retention", "apply", digest, "--before", day, "--reason", "x").code == 0
    assert bodies(store) == 1
    for said in ("soon", "2999-01-01", f"{day}T10:00", f"{day} 10:00"):
        words = ("--before", said)
        assert aircon("retention", "plan", *words).code == 3


def test_what_a_hold_covers_is_counted_and_stays(aircon: Aircon, store: Path) -> None:
    aircon("hold", "add", "--records", "0", "--reason", "case 17")
    plan = aircon("retention", "plan", "--json").objects[0]
    assert len(plan["held"]) == 1  # type: ignore[arg-type]
    assert "1 more would go but for a legal hold" in aircon("retention", "plan").err
    digest = str(plan["digest"])
    assert aircon("retention", "apply", digest, "--reason", "x").code == 0
    assert bodies(store) == 2


def test_what_was_removed_can_not_be_found_any_more(aircon: Aircon) -> None:
    asked = ("search", "--user", "ada", "--kind", "*", "--json")
    before = aircon(*asked).objects
    digest = str(aircon("retention", "plan", "--json").objects[0]["digest"])
    assert aircon("retention", "apply", digest, "--reason", "x").code == 0
    after = aircon(*asked).objects
    assert (len(before), len(after)) == (3, 1)
    assert "not in this store" in aircon("show", "2").out
