"""The README's own commands, run as a newcomer would, and its links."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHELL = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
# These two wait for a person.
INTERACTIVE = ("aircon console", "aircon tail -f")


def commands() -> list[str]:
    assert SHELL is not None
    lines = (line.split("  #")[0].strip() for line in SHELL[1].splitlines())
    return [line for line in lines if line and not line.startswith(INTERACTIVE)]


@pytest.mark.slow
def test_the_commands_of_the_readme_work_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "sample-logs").symlink_to(ROOT / "sample-logs")
    binaries = Path(sys.executable).parent
    env = dict(
        os.environ,
        PATH=f"{binaries}:{os.environ['PATH']}",
        AIRCON_PASSPHRASE="a long passphrase for a test",
        AIRCON_STORE=str(tmp_path / "evidence"),
    )
    assert len(commands()) == 8
    try:
        for command in commands():
            done = subprocess.run(
                ["bash", "-c", command],
                check=False,
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
            )
            # The sample logs hold a few broken lines on purpose: importing them says so with 6.
            expected = 6 if command.startswith("aircon import") else 0
            assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr
    finally:
        unprotect(tmp_path)


def unprotect(folder: Path) -> None:
    """Sealed files are immutable where the machine allows; temporary ones must be removable."""
    from logstore.disk import set_immutable

    for path in (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        set_immutable(path, on=False)


def test_every_link_of_readme_and_docs_leads_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_has_the_two_commands_of_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in README
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
