"""Whether models may be called: a file on this machine, and what the endpoint says.

Rules of this file:

1. The endpoint is asked at most every `check_s` seconds; its last word counts in between.
2. In closed mode an endpoint that does not answer stops calls as well, before the model is called.
3. In open mode it never stops a call by not answering: its last word stays, and while it is away it
   is asked again only by the sender in the background (`note`), so that no call waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from logstore.capture.sending.endpoint import StopState, Unsent
from logstore.capture.sending.refusals import CallsStopped, EndpointAway
from logstore.capture.sending.settings import Settings

MAX_REASON = 500
"""Characters of a reason that are passed on."""

_NEVER = float("-inf")


class KillSwitch:
    """Answers one question: may a model be called now? Thread-safe.

    Args:
        settings: the client's.
        ask: asks the endpoint; raises `Unsent`.
    """

    def __init__(self, settings: Settings, ask: Callable[[], StopState]) -> None:
        self._file = settings.stop_file
        self._closed = settings.is_closed
        self._every = settings.check_s
        self._ask = ask
        self._asking = threading.Lock()
        self._state = StopState()
        self._away: str | None = None
        self._asked = _NEVER

    @property
    def is_due(self) -> bool:
        """Whether `check` would ask the endpoint, and so may take a while."""
        if self._away is not None and not self._closed:
            return False
        return time.monotonic() - self._asked >= self._every

    def check(self) -> None:
        """Return if a model may be called.

        Raises:
            CallsStopped: the kill switch is set.
            EndpointAway: in closed mode, the endpoint does not answer.
        """
        self.check_file()
        if self.is_due:
            with self._asking:
                if self.is_due:
                    self.note()
        if self._away is not None and self._closed:
            raise EndpointAway(self._away)
        if self._state.stopped:
            raise CallsStopped(_words(self._state.reason))

    def check_file(self) -> None:
        """Return if the stop file does not exist.

        Raises:
            CallsStopped: it does, or nobody can tell.
        """
        if self._file is not None and (reason := _reason_in(self._file)) is not None:
            raise CallsStopped(_words(reason))

    def note(self) -> None:
        """Ask the endpoint and remember what it says."""
        try:
            self._state, self._away = self._ask(), None
        except Unsent as unsent:
            self._away = unsent.why
        self._asked = time.monotonic()

    def doubt(self) -> None:
        """Something was not acknowledged: ask before the next call, however lately it was asked."""
        self._asked = _NEVER

    def answered(self) -> None:
        """The endpoint stored something: it is there."""
        if self._away is not None:
            self._away, self._asked = None, _NEVER


def _reason_in(path: Path) -> str | None:
    """The first line of a stop file; None where there is no such file."""
    try:
        with path.open("rb") as file:
            return file.readline(4 * MAX_REASON).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{path} can not be read ({error.strerror})"


def _words(reason: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in reason[:MAX_REASON]).strip()
    return shown or "no reason was given"
