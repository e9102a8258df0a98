"""Every error aircon raises on purpose, as one tree.

    AirconError                     base: what happened, what is safe, what to do next
    ├── UsageError                  the call itself is wrong (exit 3)
    ├── NotFound                    the store, record or file named does not exist (exit 3)
    ├── FormatError                 bytes that are not what their format says (exit 1 in verify)
    ├── TamperingFound              evidence contradicts itself or its signatures (exit 1)
    ├── CannotJudge                 an anchor, key or file needed for the answer is missing (exit 2)
    ├── KeyUnavailable              content cannot be opened with the keys at hand (exit 2)
    │   ├── PassphraseWrong
    │   └── KeyDestroyed            destroyed on purpose; the content is gone for good
    ├── WriterBusy                  another process holds the log's writer lock (exit 4)
    ├── Fenced                      another machine writes to this log (exit 4)
    ├── NotDurable                  the record could not be made durable; it is NOT stored (exit 5)
    ├── StoreAway                   the bucket does not answer now; nothing is lost (exit 8)
    │   └── StoreRefused            the bucket says no, until somebody changes something
    └── QueryRefused                SQL outside the read-only subset, or over its limits (exit 3)

Exit codes are mapped at the edge only, in `console.diagnostics`; the table there is the API.
"""

from __future__ import annotations


class AirconError(Exception):
    """Base of all deliberate errors.

    Args:
        what: what happened, one sentence for a person.
        kept: what is still safe; empty when nothing was at risk.
        todo: what to do next; empty when there is nothing to do.
    """

    def __init__(self, what: str, *, kept: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.todo = todo

    def diagnostics(self) -> list[str]:
        """The lines to show a person, most important first."""
        return [line for line in (self.what, self.kept, self.todo) if line]


class UsageError(AirconError):
    """The call itself is wrong: an argument, a path, a combination."""


class NotFound(AirconError):
    """The store, record or file that was named does not exist."""


class FormatError(AirconError):
    """Bytes that are not what their format says; raised by every strict parser."""


class TamperingFound(AirconError):
    """Evidence contradicts itself, its chain or its signatures."""


class CannotJudge(AirconError):
    """An anchor, key or file that the answer needs is missing."""


class KeyUnavailable(AirconError):
    """Content cannot be opened with the keys at hand."""


class PassphraseWrong(KeyUnavailable):
    """The passphrase does not open the key store."""


class KeyDestroyed(KeyUnavailable):
    """The key was destroyed on purpose; what it sealed cannot be read again."""


class WriterBusy(AirconError):
    """Another process holds the log's writer lock."""


class Fenced(AirconError):
    """Another machine writes to this log; this one must not go on."""


class NotDurable(AirconError):
    """The record could not be made durable and must be treated as not stored."""


class StoreAway(AirconError):
    """The bucket does not answer now; what was asked can be asked again, and nothing is lost."""


class StoreRefused(StoreAway):
    """The bucket answers, and will say no again until a person changes something."""


class QueryRefused(AirconError):
    """SQL outside the read-only subset, or stopped at its time or memory limit."""
