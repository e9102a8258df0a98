"""The pages of docs/capture show what the tests run, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.recipes import PAGES, PROGRAMS, ROOT, Block, blocks
from support.serving import aircon, new_store

SHOWN = "tests/clients/programs/"


def test_every_program_and_configuration_shown_is_the_tested_one() -> None:
    shown = set()
    for block in blocks():
        if block.note.startswith(SHOWN):
            assert block.text == (ROOT / block.note).read_text("utf-8"), block.page.name
            shown.add(block.note.removeprefix(SHOWN))
        else:
            assert block.language == "sh", f"{block.page.name}: who runs this?\n{block.text}"
            assert block.note.startswith("environment: "), block.page.name
    telemetry = {path.name for path in PROGRAMS.iterdir() if path.suffix in (".py", ".yaml")}
    ours = {"run.py", "scenes.py", "litellm_generic.py"} | {
        name for name in telemetry if name.endswith("_calls.py") or name.startswith("traceloop_")
    }
    assert telemetry - ours == shown


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_traceloops_program_differs_in_one_line(provider: str) -> None:
    """As the pages say."""
    ours = (PROGRAMS / f"traceloop_{provider}.py").read_text().splitlines()
    theirs = (PROGRAMS / f"otel_{provider}.py").read_text().splitlines()
    (changed,) = [line for line in ours if line not in theirs]
    assert f"    {changed}\n" in (PAGES / f"{provider}.md").read_text("utf-8")
    assert len(ours) == len(theirs)


def test_python_blocks_are_python() -> None:
    for block in blocks():
        if block.language == "python":
            ast.parse(block.text)


def test_bedrocks_files_are_imported_as_the_page_says(tmp_path: Path) -> None:
    (line,) = [
        line.strip()
        for line in (PAGES / "bedrock.md").read_text("utf-8").splitlines()
        if line.strip().startswith("aircon import")
    ]
    store = new_store(tmp_path)
    words = line.replace("/var/log/bedrock/", str(ROOT / "sample-logs/bedrock")).split()[1:]
    done = aircon(*words, "--store", store, "--insecure-no-passphrase")
    assert done.returncode == 0, done.stderr
    again = aircon(*words, "--store", store, "--insecure-no-passphrase")
    assert "nothing new" in again.stderr or " 0 " in again.stderr, again.stderr


def test_the_index_leads_to_every_page() -> None:
    index = (PAGES / "README.md").read_text("utf-8")
    for page in PAGES.glob("*.md"):
        assert page.name == "README.md" or f"({page.name}" in index, page.name


def test_every_environment_is_named_once() -> None:
    named: list[Block] = [block for block in blocks() if block.note.startswith("environment: ")]
    assert len({block.note for block in named}) == len(named)
