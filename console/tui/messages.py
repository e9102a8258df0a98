"""What worker threads report. Workers never touch widgets; they post one of these."""

from __future__ import annotations

from textual.message import Message

from console.presenters.views import Bundle
from console.tui.session import Extent, Verdict
from logstore.errors import AirconError
from logstore.query.rows import Histogram, Selection


class Selected(Message):
    """A filter or pivot was answered."""

    def __init__(self, turn: int, found: Selection | AirconError) -> None:
        super().__init__()
        self.turn = turn
        self.found = found


class Found(Message):
    """Records near one record were looked for: similar text, or the same call."""

    def __init__(self, turn: int, origin: str, found: Selection | AirconError) -> None:
        super().__init__()
        self.turn = turn
        self.origin = origin
        self.found = found


class Counted(Message):
    """The histogram of a selection."""

    def __init__(self, turn: int, found: Histogram | AirconError) -> None:
        super().__init__()
        self.turn = turn
        self.found = found


class Read(Message):
    """A record was read: first itself, then with its conversation."""

    def __init__(self, index: int, found: Bundle | AirconError) -> None:
        super().__init__()
        self.index = index
        self.found = found


class CallsFound(Message):
    """It was found out which records are of one call, in `took_s` seconds, or could not be."""

    def __init__(self, took_s: float, error: AirconError | None) -> None:
        super().__init__()
        self.took_s = took_s
        self.error = error


class Grown(Message):
    """The log was looked at again; `found` is None when the selection did not change."""

    def __init__(self, turn: int, extent: Extent, found: Selection | None) -> None:
        super().__init__()
        self.turn = turn
        self.extent = extent
        self.found = found


class TailFailed(Message):
    """The log could not be looked at again."""

    def __init__(self, error: AirconError) -> None:
        super().__init__()
        self.error = error


class Progressed(Message):
    """A verification moves on; only the newest of these matters."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__()
        self.done = done
        self.total = total

    def can_replace(self, message: Message) -> bool:
        """A newer one makes this one needless."""
        return isinstance(message, Progressed)


class Verified(Message):
    """A verification ended; None when it was stopped."""

    def __init__(self, found: Verdict | AirconError | None) -> None:
        super().__init__()
        self.found = found


class Told(Message):
    """Something in the background ended and has a sentence for the person."""

    def __init__(self, words: str, *, bad: bool = False) -> None:
        super().__init__()
        self.words = words
        self.bad = bad


class Exporting(Message):
    """An export moves on."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__()
        self.done = done
        self.total = total

    def can_replace(self, message: Message) -> bool:
        """A newer one makes this one needless."""
        return isinstance(message, Exporting)


class Unlocked(Message):
    """The passphrase was tried."""

    def __init__(self, error: AirconError | None) -> None:
        super().__init__()
        self.error = error
