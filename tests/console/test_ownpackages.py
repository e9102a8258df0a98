"""A stranger's package with one of our names is met with a refusal, before it can run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from console import ownpackages
from logstore.errors import TamperingFound

ROOT = Path(__file__).resolve().parents[2]


def _aircon(path: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run `aircon --version` with these folders on the path, before the checkout's."""
    code = (
        f"import sys; sys.path[:0] = {[str(each) for each in path]!r}\n"
        "from console.__main__ import main; sys.exit(main(['--version']))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["playbooks", "drills"])
def test_a_strangers_package_is_refused_and_never_runs(name: str, tmp_path: Path) -> None:
    rogue = tmp_path / name
    rogue.mkdir()
    (rogue / "__init__.py").write_text("print('ROGUE CODE RAN')")
    done = _aircon([tmp_path])
    assert done.returncode == 1
    assert "ROGUE" not in done.stdout
    assert str(rogue) in done.stderr
    assert "pipx install aircon-console" in done.stderr


def test_a_strangers_module_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "drills.py").write_text("print('ROGUE CODE RAN')")
    done = _aircon([tmp_path])
    assert done.returncode == 1
    assert "ROGUE" not in done.stdout


def test_our_own_packages_pass() -> None:
    done = _aircon([])
    assert done.returncode == 0, done.stderr


def _home(tmp_path: Path, *installed: str) -> Path:
    for each in installed:
        (tmp_path / f"{each}.dist-info").mkdir()
    return tmp_path


def test_an_installation_is_known_by_its_distribution(tmp_path: Path) -> None:
    ownpackages._check_home(_home(tmp_path, "aircon_console-0.1.0", "textual-8.2.8"))


def test_another_project_in_the_same_folder_may_have_overwritten_us(tmp_path: Path) -> None:
    home = _home(tmp_path, "aircon_console-0.1.0", "console-0.9912")
    with pytest.raises(TamperingFound, match="console-0.9912"):
        ownpackages._check_home(home)


def test_a_folder_without_our_installation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TamperingFound, match="holds no installation"):
        ownpackages._check_home(_home(tmp_path, "textual-8.2.8"))


def test_the_check_costs_less_than_ten_milliseconds() -> None:
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        ownpackages.require()
        best = min(best, time.process_time() - started)
    assert best < 0.010
