"""The command line is one table: every verb teaches, suggests, completes and starts quickly."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import Aircon

from console import cli, docs
from console.__main__ import main
from console.commands import COMMANDS, command
from console.completion import completion
from console.diagnostics import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
VERBS = [row.verb for row in COMMANDS]
HEAVY = ("duckdb", "boto3", "botocore", "textual", "rich", "pyarrow", "cryptography", "numpy")


def _python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_help_loads_nothing_heavy_for_any_verb() -> None:
    code = (
        "import sys, json, io\n"
        "from console.__main__ import main\n"
        "real, sys.stdout = sys.stdout, io.TextIOWrapper(io.BytesIO())\n"
        "codes = [main(words.split()) for words in sys.argv[1:]]\n"
        "json.dump([codes, sorted({name.split('.')[0] for name in sys.modules})], real)\n"
    )
    calls = ["--help", "--version", *(f"{verb} --help" for verb in VERBS)]
    done = _python(code, *calls)
    assert done.returncode == 0, done.stderr
    codes, loaded = json.loads(done.stdout)
    assert codes == [0] * len(calls)
    assert not set(HEAVY) & set(loaded)


@pytest.mark.slow
def test_help_takes_at_most_120_milliseconds_of_processor_time() -> None:
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "console", "--help"], cwd=ROOT, stdout=subprocess.DEVNULL,
            check=True,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best <= 0.120


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: aircon {verb}" in shown
    examples = [line for line in shown.splitlines() if f"aircon {verb}" in line][1:]
    assert examples, "no example calls the verb"
    assert max(map(len, shown.splitlines())) <= 100
    (row,) = (row for row in COMMANDS if row.verb == verb)
    wide = [text for text in shown.splitlines() if len(text) > 80]
    assert all(text.startswith("  ") and text in row.teach for text in wide), "no example"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_implemented(verb: str) -> None:
    module = next(row.module for row in COMMANDS if row.verb == verb)
    assert (ROOT / "console" / "verbs" / f"{module}.py").is_file()


def test_help_names_every_verb_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in VERBS:
        assert f"\n  {verb} " in shown
    for each in EXIT_CODES:
        assert f"{each.code} {each.name}" in shown


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["serch", "x"], "Did you mean `search`?"),
        (["search", "x", "--modle", "y"], "Did you mean `--model`?"),
        (["search", "--limit", "many"], "See `aircon search --help`."),
        (["show"], "See `aircon show --help`."),
        (["\x1b]0;PWNED\x07"], "See `aircon --help`."),
    ],
)
def test_a_mistake_is_met_with_a_suggestion(
    words: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert suggestion in said.err
    assert "\x1b" not in said.err
    assert "Traceback" not in said.err


def test_the_command_line_page_is_what_the_program_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == docs.page(), (
        "run: python -m console.docs > docs/cli.md"
    )


def test_a_closed_pipe_ends_quietly() -> None:
    shell = f"{sys.executable} -m console --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("0", "141")
    assert done.stderr == ""


def test_words_that_are_not_utf8_are_answered_and_not_a_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", b"caf\xe9"],
        cwd=ROOT, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"aircon {cli.version()}\n"


def _bash_offers(*words: str) -> list[str]:
    script = completion("bash")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _aircon"
    tell = 'printf "%s\\n" "${COMPREPLY[@]}"'
    call = ["bash", "--norc", "-c", f"{script}\n{ask}; {tell}"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_verbs_options_choices_and_files() -> None:
    assert set(_bash_offers("aircon", "se")) == {"search", "seal", "serve"}
    assert "--model" in _bash_offers("aircon", "search", "--mo")
    assert _bash_offers("aircon", "completion", "z") == ["zsh"]
    assert _bash_offers("aircon", "search", "--field", "in") == ["input"]
    assert "pyproject.toml" in _bash_offers("aircon", "import", "pyproj")
    assert "logstore" in _bash_offers("aircon", "status", "--store", "logs")
    assert _bash_offers("aircon", "search", "--user", "") == []


def test_bash_knows_every_option_of_every_verb() -> None:
    for row in COMMANDS:
        offered = set(_bash_offers("aircon", row.verb, "--"))
        wanted = {name for each in row.arguments for name in each.names if name.startswith("--")}
        assert wanted | {"--help"} == offered, row.verb


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_are_told_every_verb_and_option(shell: str) -> None:
    script = completion(shell)
    for row in COMMANDS:
        assert row.verb in script
        for each in row.arguments:
            if each.is_option:
                assert each.names[0].removeprefix("--") in script


def _examples() -> list[list[str]]:
    """Every example of every help text, as words, without comments, pipes and redirections."""
    found = []
    for row in COMMANDS:
        for text in row.teach.splitlines():
            said = re.split(r" [|<>] |(?<=\S) {3,}|&&", text.strip())[0]
            if said.startswith("aircon "):
                found.append(shlex.split(said)[1:])
    return found


@pytest.mark.parametrize("words", _examples(), ids=" ".join)
def test_every_example_is_a_valid_call(words: list[str]) -> None:
    row = command(words[0])
    assert row is not None
    cli.parser(row).parse_args(words[1:])


def test_examples_of_sql_run(aircon: Aircon) -> None:
    ran = 0
    for verb, *words in _examples():
        if verb == "sql" and "-" not in words:
            answer = aircon("sql", *[word for word in words if word != "answer.parquet"])
            assert answer.code == 0, answer.err
            ran += 1
    assert ran >= 2


def test_trust_commands_load_no_query_engine_and_no_screen(made_store: Path) -> None:
    code = (
        "import sys\n"
        "from console.__main__ import main\n"
        "place = ['--store', sys.argv[1]]\n"
        "assert main(['status', *place]) == 0\n"
        "assert main(['verify', '--quick', *place]) == 0\n"
        "assert main(['prove', '0', '-o', sys.argv[2], *place]) == 0\n"
        "print(sorted({'duckdb', 'textual', 'rich', 'boto3'} & set(sys.modules)))\n"
    )
    target = made_store.with_name("zero.tlog-proof")
    target.unlink(missing_ok=True)
    done = _python(code, str(made_store), str(target))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
