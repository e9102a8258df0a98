"""Whoever installs what a page says, and the client that they have, can import its program."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
from support.recipes import PAGES, PROGRAMS

HAVE = {
    "openai": ["openai"],
    "anthropic": ["anthropic"],
    "litellm": ["litellm"],
    "langfuse": ["openai"],
    "mlflow": ["openai"],
}
"""What users of a page have before they open it."""

SHOWN = re.compile(r"<!-- tests/clients/programs/(\w+)\.py -->")
PIP = re.compile(r"^    pip install ((?:.*\\\n)*.*)$", re.MULTILINE)

LACKING = """
import importlib.metadata as metadata, importlib.util, json, sys
from packaging.requirements import Requirement

def brought(names):
    found, todo = {}, [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        key = (wanted.name.lower().replace("_", "-"), frozenset(wanted.extras))
        if key in found:
            continue
        found[key] = None
        try:
            found[key] = one = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue
        for more in map(Requirement, one.requires or []):
            extras = wanted.extras | {""}
            if more.marker is None or any(more.marker.evaluate({"extra": e}) for e in extras):
                todo.append(more)
    return {str(one.locate_file(file)) for one in found.values() if one for file in one.files or []}

installed, modules = json.load(sys.stdin)
files = brought(installed)
lacking = []
for module in modules:
    spec = importlib.util.find_spec(module)
    if spec is None or not (spec.origin is None or spec.origin in files):
        lacking.append(module)
json.dump(lacking, sys.stdout)
"""


def _shown() -> dict[str, tuple[str, str]]:
    """Each shown program: its page's name and what stands from the section's head down to it."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        for section in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE):
            for match in SHOWN.finditer(section):
                found[match[1]] = page.stem, section[: match.start()]
    return found


PROGRAMS_SHOWN = _shown()


@pytest.mark.parametrize("program", PROGRAMS_SHOWN)
def test_a_pages_installation_brings_what_its_program_imports(
    program: str, client_python: Path
) -> None:
    page, above = PROGRAMS_SHOWN[program]
    installed = [word for line in PIP.findall(above) for word in line.replace("\\", " ").split()]
    installed += HAVE.get(page, [])
    modules = _imports(PROGRAMS / f"{program}.py")
    assert _lacking(client_python, [word.strip('"') for word in installed], modules) == []


def test_a_package_that_is_not_installed_is_missed(client_python: Path) -> None:
    modules = _imports(PROGRAMS / "native_anthropic.py")
    assert _lacking(client_python, ["anthropic"], modules)


def _imports(program: Path) -> list[str]:
    """The modules that a program imports, those of Python itself left out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(program.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return sorted(found - {"contextlib"})


def _lacking(python: Path, installed: list[str], modules: list[str]) -> list[str]:
    done = subprocess.run(
        [python, "-c", LACKING],
        input=json.dumps([installed, modules]),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: list[str] = json.loads(done.stdout)
    return found
