"""The kill switch that clients ask for before they call a model: a file that exists, or not."""

from __future__ import annotations

from pathlib import Path

import msgspec

MAX_REASON = 200
"""Most characters of the reason."""


class StopFile:
    """A file whose existence tells clients to refuse AI calls; its first line says why.

    Args:
        path: the file; None where no kill switch is configured.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def reason(self) -> str | None:
        """Why calls are to stop; None while they may go on. A file nobody can read stops them."""
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                first = file.readline(4 * MAX_REASON)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return "stopped"
        said = first.decode("utf-8", "replace").strip()
        return "".join(each for each in said if each.isprintable())[:MAX_REASON] or "stopped"

    def answer(self) -> bytes:
        """The answer of ``GET /v1/stop``."""
        reason = self.reason()
        if reason is None:
            return b'{"stopped":false}'
        return msgspec.json.encode({"stopped": True, "reason": reason})
