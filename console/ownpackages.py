"""Whose packages were imported: the names `console`, `logstore` and `playbooks` are not only ours.

PyPI has other projects with these import names. One of them installed beside aircon could shadow
or overwrite part of it, and an evidence tool that runs a stranger's code proves nothing. So before
anything else aircon checks, without importing them, that all four packages come from one folder,
that this folder is aircon's, and that no other distribution there claims their names.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from logstore.errors import TamperingFound

PACKAGES = ("console", "logstore", "playbooks", "drills")
"""aircon's own import packages."""

_DISTRIBUTION = "aircon-console"
_TODO = "Install aircon on its own: pipx install aircon-console, or uv tool install aircon-console."


def require() -> None:
    """Go on only if every package of aircon is aircon's own.

    Raises:
        TamperingFound: one is not, or could be another project's.
    """
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        found = _folder(name)
        if found != home / name:
            raise TamperingFound(
                f"the package {name!r} would come from {found or 'nowhere'}, not from {home}",
                kept="Nothing was opened.",
                todo=_TODO,
            )
    _check_home(home)


def _check_home(home: Path) -> None:
    """The folder is aircon's checkout or holds its installation, and nobody claims its names."""
    names = os.listdir(home)  # noqa: PTH208 - at every start; pathlib is slower
    installed = [each for each in names if each.endswith(".dist-info")]
    if not any(_project(each) == _DISTRIBUTION for each in installed) and not _checkout(home):
        raise TamperingFound(
            f"{home} holds no installation of {_DISTRIBUTION}",
            kept="Nothing was opened.",
            todo=_TODO,
        )
    for each in installed:
        if _project(each) in PACKAGES:
            raise TamperingFound(
                f"another project, {each.removesuffix('.dist-info')}, is installed into the same "
                "folder and may have overwritten part of aircon",
                kept="Nothing was opened.",
                todo=_TODO,
            )


def _checkout(home: Path) -> bool:
    try:
        return f'name = "{_DISTRIBUTION}"' in (home / "pyproject.toml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _project(directory: str) -> str:
    return directory.split("-", maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def _folder(package: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    # An editable install may add a placeholder that is no folder; a second folder is a stranger's.
    places = (
        [each for each in spec.submodule_search_locations or () if Path(each).is_dir()]
        if spec
        else []
    )
    return Path(places[0]).resolve() if len(places) == 1 else None
