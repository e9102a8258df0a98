"""Who orders that something be kept, or removed for good, and why: the one door to both.

A second person's approval is asked for here, once operators and their roles are known: `Order`
already carries who approved, the records already keep it, and `check_order` is what every such
deed goes through.
"""

from __future__ import annotations

from dataclasses import dataclass

from logstore.errors import UsageError
from logstore.formats import body
from logstore.formats.record import Record

SOURCE = "console"
"""`source` of the records that such orders become."""

MAX_REASON = 10_000
"""Most characters of a reason."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants it, and why.

    Attributes:
        by: the operator.
        reason: why; may name people, so it stands in the encrypted body.
        asked: what was asked for, in the words of the command.
        approved_by: other operators who agreed.
    """

    by: str
    reason: str
    asked: str = ""
    approved_by: tuple[str, ...] = ()

    def record(self, kind: str, clear: dict[str, object]) -> Record:
        """The record that says so."""
        said = {"reason": self.reason, "asked": self.asked, "approved_by": list(self.approved_by)}
        note: dict[str, object] = {name: each for name, each in said.items() if each}
        return Record(kind, SOURCE, self.by, clear=clear, content=body.encode(body.Body(note=note)))


def check_order(order: Order) -> Order:
    """An order that may be carried out.

    Raises:
        UsageError: nobody is told to give it, or why.
    """
    if not order.by.strip():
        raise UsageError("nobody is named who orders this")
    if not order.reason.strip() or len(order.reason) > MAX_REASON:
        raise UsageError(
            f"a reason of 1 to {MAX_REASON:,} characters is needed",
            kept="Nothing was changed.",
            todo="Give it with --reason.",
        )
    return order
