"""Every command does what its help says, in every format, whatever the log holds."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from support.commands import HOSTILE, Aircon, line

from console.__main__ import main
from console.commands import COMMANDS

FORBIDDEN = [bytes([byte]) for byte in range(32) if byte != 0x0A] + [
    b"\x7f",
    *(char.encode() for char in ("\x9b", "\u202e", "\u200b", "\u2028", "\U000e0068")),
]

_SQL = HOSTILE.replace("\0", "").replace("\ud83d\ude00", "")


def _hostile(aircon: Aircon) -> int:
    found = aircon("search", "--user", "eve*", "--json").objects
    assert len(found) == 1
    return int(str(found[0]["index"]))


def test_search_finds_by_text_person_and_time(aircon: Aircon) -> None:
    found = aircon("search", "REFUND", "--user", "maria", "--json")
    assert found.code == 0
    assert [row["input_preview"] for row in found.objects] == [
        "refund policy?",
        "again, the refund",
    ]
    assert aircon("search", "--until", "2020-01-01", "--json").out == ""
    assert len(aircon("search", "--regex", "re.und", "--json").objects) == 2
    assert aircon("search", "合同", "--json").objects[0]["user"] == "王小明"


def test_a_limit_keeps_the_newest_and_says_so(aircon: Aircon) -> None:
    found = aircon("search", "refund", "-n", "1", "--json")
    assert [row["input_preview"] for row in found.objects] == ["again, the refund"]
    assert "1 of 2 rows" in found.err
    assert "(1 of 2 rows; --limit asks for more)" in aircon("search", "refund", "-n", "1").out


def test_every_answer_says_how_far_it_is_signed(aircon: Aircon) -> None:
    for words in (["search", "x"], ["sql", "SELECT 1"], ["tail"], ["show", "0"]):
        assert "signed to" in aircon(*words).err


@pytest.mark.parametrize("form", [[], ["--wide"], ["--json"], ["--csv"]])
@pytest.mark.parametrize(
    "words",
    [
        ["search", "PWNED"],
        ["search", "--user", "eve*"],
        ["tail", "-n", "0"],
        ["sql", "SELECT * FROM interactions"],
        ["sql", "SELECT * FROM messages"],
        ["sql", "SELECT * FROM users"],
        ["sql", "SELECT * FROM events"],
        ["sql", f"SELECT '{_SQL}' AS \"{_SQL}\""],
    ],
    ids=lambda words: " ".join(words)[:30].encode("ascii", "replace").decode(),
)
def test_hostile_text_reaches_no_terminal(
    aircon: Aircon, words: list[str], form: list[str]
) -> None:
    answer = aircon(*words, *form)
    assert answer.out
    _clean(answer.out)
    _clean(answer.err)


@pytest.mark.parametrize("form", [[], ["--json"], ["--raw"], ["--conversation"], ["--alone"]])
def test_a_hostile_record_is_shown_without_harm(aircon: Aircon, form: list[str]) -> None:
    answer = aircon("show", str(_hostile(aircon)), *form)
    assert answer.code == 0
    _clean(answer.out)
    _clean(answer.err)


def _clean(said: str) -> None:
    written = said.encode("utf-8", "surrogatepass")
    for forbidden in FORBIDDEN:
        assert forbidden not in written


def test_show_spells_out_what_is_hidden(aircon: Aircon) -> None:
    index = _hostile(aircon)
    assert "⟦tag:hi⟧" in aircon("show", str(index)).out
    shown = aircon("show", str(index), "--json", "--raw").objects[0]
    assert {"kind": "tags", "at": HOSTILE.index("\U000e0068"), "length": 2, "text": "hi"} in (
        shown["hidden"]  # type: ignore[operator]
    )
    assert shown["interaction"]["input"][0]["parts"][0]["text"] == (  # type: ignore[index]
        HOSTILE.encode("utf-16", "surrogatepass").decode("utf-16")
    )
    assert base64.b64decode(str(shown["raw"])).startswith(b'{"aircon": 1')


def test_a_record_is_named_by_index_or_id(aircon: Aircon) -> None:
    first = aircon("show", "0", "--json").objects[0]
    assert aircon("show", str(first["id"]), "--json").objects[0]["index"] == 0
    assert aircon("show", "123456789").code == 3
    assert aircon("show", "no-such-id").code == 3


def test_a_record_is_shown_alone_without_a_working_copy(aircon: Aircon, made_store: Path) -> None:
    index = str(_hostile(aircon))
    due = aircon("show", index, "--json").objects[0]
    work = made_store.with_name("evidence.work")
    shutil.rmtree(work)
    before = aircon("status", "--json").objects[0]["records"]
    alone = aircon("show", index, "--alone", "--json").objects[0]
    assert not work.exists()
    assert alone["interaction"] == due["interaction"]
    assert {name for name in due if due[name] != alone[name]} <= {"verified_to", "counted"}
    kinds = aircon("sql", f"SELECT kind FROM events WHERE index >= {before}", "--json").objects
    assert {"kind": "access.decrypt"} in kinds
    assert aircon("show", index, "--alone", "--conversation").code == 3


def test_spreadsheet_formulas_are_defused(aircon: Aircon) -> None:
    answer = aircon("sql", "SELECT '=1+1' AS a, -5 AS b", "--csv")
    assert list(csv.reader(io.StringIO(answer.out)))[1] == ["'=1+1", "-5"]


def test_sql_limits_and_says_that_there_is_more(aircon: Aircon) -> None:
    answer = aircon("sql", "SELECT * FROM range(50)", "-n", "3")
    if answer.code == 0:
        assert "3 rows, and there are more" in answer.out
    else:  # table functions are outside the subset
        assert answer.code == 3


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE x", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO '/tmp/x'", "ATTACH 'x'", "nonsense"],
)
def test_sql_that_does_more_than_read_is_refused(aircon: Aircon, statement: str) -> None:
    answer = aircon("sql", statement)
    assert (answer.code, answer.out) == (3, "")


def test_sql_can_come_from_standard_input(aircon: Aircon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 42 AS answer"))
    assert aircon("sql", "-", "--json").objects == [{"answer": 42}]


def test_parquet_goes_to_a_new_file_and_is_recorded_as_an_export(
    aircon: Aircon, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    for name, words in {
        "search": ["search", "refund"],
        "tail": ["tail", "-n", "0"],
        "sql": ["sql", "FROM interactions"],
    }.items():
        target = tmp_path / f"{name}.parquet"
        answer = aircon(*words, "--parquet", str(target), "--reason", f"case {name}")
        assert (answer.code, answer.out) == (0, "")
        assert pq.read_table(target).num_rows >= 2
        again = aircon(*words, "--parquet", str(target))
        assert again.code == 3
        assert "exists already" in again.err
        said = aircon(
            "sql", "SELECT recorded_by, note FROM events WHERE kind = 'access.export'", "--json"
        )
        notes = [row for row in said.objects if f"case {name}" in str(row["note"])]
        assert [row["recorded_by"] for row in notes] == ["tester"]
        assert str(target) in str(notes[0]["note"])


def test_every_question_is_on_the_log_before_its_answer_is_seen(aircon: Aircon) -> None:
    aircon("search", "needle in the log", "--reason", "ticket 4711")
    said = aircon(
        "sql", "SELECT recorded_by, note FROM events WHERE kind = 'access.query'", "--json"
    )
    found = [row for row in said.objects if "needle in the log" in str(row["note"])]
    assert len(found) == 1
    assert "ticket 4711" in str(found[0]["note"])
    assert found[0]["recorded_by"] == "tester"


def test_opening_a_record_is_on_the_log(aircon: Aircon) -> None:
    before = aircon("status", "--json").objects[0]["records"]
    aircon("show", "3")
    kinds = aircon("sql", f"SELECT kind FROM events WHERE index >= {before}", "--json").objects
    assert {"kind": "access.decrypt"} in kinds


def test_clear_fields_need_no_key_and_leave_no_record(
    aircon: Aircon, made_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = aircon("status", "--json").objects[0]["records"]
    keys = made_store.with_name("evidence.keys")
    answer = aircon(
        "search", "--model", "gpt-5*", "--clear-only", "--keys", f"{keys}-gone", "--json"
    )
    assert answer.code == 0
    assert len(answer.objects) >= 3
    assert {row["user"] for row in answer.objects} == {None}
    assert "not recorded" in answer.err
    assert aircon("status", "--json").objects[0]["records"] == before
    assert aircon("search", "refund", "--clear-only").code == 2


def test_a_busy_log_withholds_the_answer(
    aircon: Aircon, made_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logstore.disk import lock_file

    monkeypatch.setattr("console.access.BUSY_TIMEOUT_S", 0.2)
    lock = next(made_store.glob("wal/*/writer.lock"))
    held = lock_file(lock, wait=True)
    assert held is not None
    try:
        answer = aircon("search", "refund")
    finally:
        os.close(held)
    assert (answer.code, answer.out) == (4, "")
    assert "another process" in answer.err


def test_status_needs_no_key_and_counts(aircon: Aircon) -> None:
    told = aircon("status", "--json").objects[0]
    assert told["origin"] == "t.example/log"
    assert int(str(told["records"])) == int(str(told["sealed"])) + int(str(told["unsealed"]))
    assert told["signed_to"] == told["records"]
    assert "t.example/log" in aircon("status").out


def test_sealing_again_finds_only_what_came_since(aircon: Aircon) -> None:
    aircon("search", "something new to seal")
    assert int(str(aircon("seal", "--json").objects[0]["records"])) >= 1
    assert aircon("seal", "--json").objects[0]["segments"] == 0


def test_importing_the_same_file_again_adds_nothing(aircon: Aircon, made_store: Path) -> None:
    logs = made_store.with_name("logs.jsonl")
    again = aircon("import", str(logs), "--json")
    assert again.code == 0
    assert [(row["status"], row["taken"]) for row in again.objects] == [("known", 0)]


def test_bad_lines_are_named_and_kept_and_the_exit_code_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, logs = tmp_path / "evidence", tmp_path / "logs.jsonl"
    logs.write_text(
        line("one", "two", "maria") + "\n{broken\x1b[31m\n" + line("3", "4", "x") + "\n"
    )
    assert main(["init", str(store), "--insecure-no-passphrase"]) == 0
    capsys.readouterr()
    assert main(["import", str(logs), "--store", str(store), "--json"]) == 6
    said = capsys.readouterr()
    assert '"taken": 2, "interactions": 2, "refused": 1' in said.out
    assert "line 2" in said.err
    assert "\x1b" not in said.err
    assert list((tmp_path / "evidence.rejects").iterdir())
    assert main(["import", str(tmp_path / "nowhere"), "--store", str(store)]) == 3


def test_a_directory_may_hold_files_that_are_no_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, logs = tmp_path / "evidence", tmp_path / "logs"
    logs.mkdir()
    (logs / "README.md").write_text("# not a log\n")
    (logs / "a.jsonl").write_text(line("one", "two", "maria") + "\n")
    assert main(["init", str(store), "--insecure-no-passphrase"]) == 0
    assert main(["import", str(logs), "--store", str(store)]) == 0
    assert main(["import", str(logs / "README.md"), "--store", str(store)]) == 6
    assert "no known format" in capsys.readouterr().err


def test_a_store_is_never_made_over_another(aircon: Aircon, made_store: Path) -> None:
    before = (made_store.with_name("evidence.policy")).read_bytes()
    again = aircon("init", str(made_store), "--insecure-no-passphrase")
    assert again.code == 3
    assert made_store.with_name("evidence.policy").read_bytes() == before


def test_a_missing_policy_is_no_reason_to_trust_the_store(aircon: Aircon, tmp_path: Path) -> None:
    answer = aircon("status", "--policy", str(tmp_path / "none.policy"))
    assert answer.code == 2
    assert "no signature can be trusted" in answer.err


def test_another_logs_policy_is_not_this_ones(aircon: Aircon, tmp_path: Path) -> None:
    assert main(["init", str(tmp_path / "other"), "--insecure-no-passphrase"]) == 0
    answer = aircon("status", "--policy", str(tmp_path / "other.policy"))
    assert answer.code == 2


def test_no_store_is_said_with_the_way_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--store", str(tmp_path / "nowhere")]) == 3
    assert "aircon init" in capsys.readouterr().err


def test_the_console_sends_whoever_has_no_terminal_to_the_commands(aircon: Aircon) -> None:
    answer = aircon("console")
    assert answer.code == 3
    assert "aircon search" in answer.err


def test_one_format_at_a_time(aircon: Aircon) -> None:
    assert aircon("search", "x", "--json", "--csv").code == 3
    assert aircon("search", "x", "--limit", "-1").code == 3
    assert aircon("tail", "-f", "--parquet", "x.parquet").code == 3


def test_doctor_says_loudly_that_there_is_no_passphrase(aircon: Aircon) -> None:
    answer = aircon("doctor", "--json")
    assert answer.code == 2
    states = {str(row["check"]): row for row in answer.objects}
    assert states["passphrase"]["state"] == "bad"
    assert "NONE" in str(states["passphrase"]["says"])
    assert states["write-protected"]["state"] == "ok"
    assert "bad   passphrase" in aircon("doctor").out


def test_sample_writes_logs_and_their_truth_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    words = ["sample", str(logs), "--records", "40", "--seed", "3", "--json"]
    assert main(words) == 0
    assert '"interactions": 40' in capsys.readouterr().out
    assert (tmp_path / "logs.labels.jsonl").is_file()
    assert main(words) == 3
    assert main(["sample", str(tmp_path / "other"), "--records", "0"]) == 3


def test_every_twin_has_json() -> None:
    without = {"console", "demo", "completion", "serve"}  # serve: its events are JSON in any case
    for row in COMMANDS:
        names = {name for each in row.arguments for name in each.names}
        assert ("--json" in names) == (row.verb not in without), row.verb


def test_verify_answers_with_its_exit_code(aircon: Aircon) -> None:
    whole = aircon("verify", "--json", "--workers", "1")
    assert whole.code == 0, whole.out
    report = whole.objects[0]
    assert report["verdict"] == "verified"
    assert report["records"] == aircon("status", "--json").objects[0]["records"]
    assert "who held the signing key" in report["not_proven"]  # type: ignore[operator]
    assert aircon("verify", "--quick").out.startswith("VERIFIED to the policy\n")


def test_verifying_content_is_recorded(aircon: Aircon) -> None:
    before = aircon("status", "--json").objects[0]["records"]
    answer = aircon("verify", "--content", "--json", "--workers", "1")
    assert answer.code == 0
    assert answer.objects[0]["logs"][0]["contents_opened"] > 0  # type: ignore[index]
    events = aircon("sql", f"SELECT kind FROM events WHERE index >= {before}", "--json")
    assert {"kind": "access.decrypt"} in events.objects


def test_a_flipped_byte_is_named_and_nothing_is_read_from_it(
    made_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("evidence", "evidence.keys"):
        shutil.copytree(made_store.with_name(name), tmp_path / name)
    policy = shutil.copy(made_store.with_name("evidence.policy"), tmp_path)
    index = min((tmp_path / "evidence").glob("index/*/*/*.parquet"))
    index.chmod(0o644)
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 1
    index.write_bytes(data)
    place = ["--store", str(tmp_path / "evidence"), "--policy", policy]
    capsys.readouterr()
    assert main(["verify", "--workers", "1", *place]) == 1
    said = capsys.readouterr()
    assert "TAMPERING FOUND" in said.out
    assert index.name in said.out
    assert "Keep a copy" in said.err
    assert main(["sql", "SELECT count(*) FROM interactions", "--clear-only", *place]) == 1
    assert capsys.readouterr().out == ""


def test_nobody_is_trusted_without_a_policy(aircon: Aircon, tmp_path: Path) -> None:
    assert aircon("verify", "--policy", str(tmp_path / "none")).code == 2
    broken = tmp_path / "broken.policy"
    broken.write_text("log nonsense\n")
    assert aircon("verify", "--policy", str(broken)).code == 2


def test_files_imported_one_after_the_other_are_read_in_order_of_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "evidence")
    times = {"a.jsonl": (1, 4, 5), "b.jsonl": (2, 3, 6)}
    for name, minutes in times.items():
        said = [line(f"minute {at}", "ok", "x", start_us=at * 60_000_000) for at in minutes]
        (tmp_path / name).write_text("\n".join(said) + "\n")
    assert main(["init", store, "--insecure-no-passphrase"]) == 0
    assert main(["import", *(str(tmp_path / name) for name in times), "--store", store]) == 0
    for words, expected in {
        ("search", "minute", "--limit", "0"): [1, 2, 3, 4, 5, 6],
        ("search", "minute", "--limit", "2"): [5, 6],
        ("tail", "-n", "3"): [4, 5, 6],
    }.items():
        capsys.readouterr()
        assert main([*words, "--json", "--store", store, "--insecure-no-passphrase"]) == 0
        rows = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
        assert [row["input_preview"] for row in rows] == [f"minute {at}" for at in expected]
