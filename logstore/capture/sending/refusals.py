"""Why the client stands in the way of a call, as errors of aircon's tree.

    AirconError
    ├── CallsStopped          the kill switch is set; the model was not called
    └── NotDurable
        ├── EndpointAway      the endpoint takes nothing now; the model was not called
        └── NotRecorded       the model was called, but no endpoint acknowledged the record

Only a client with ``on_failure="closed"`` raises the last two.
"""

from __future__ import annotations

from logstore.errors import AirconError, NotDurable


class CallsStopped(AirconError):
    """The kill switch is set: no model is called until it is lifted.

    Args:
        reason: the words of whoever set it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Calls to models are stopped: {reason}",
            kept="The model was not called.",
            todo="Wait until the incident's responders lift the stop.",
        )
        self.reason = reason


class EndpointAway(NotDurable):
    """Nothing could be recorded now, so the model was not called."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The endpoint can not record this call: {why}.",
            kept="The model was not called.",
            todo="Repair the endpoint or its address, then call again.",
        )


class NotRecorded(NotDurable):
    """The model was called and what it said is withheld: no record of it was acknowledged."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The call could not be recorded: {why}.",
            kept="The answer was not handed out. The record may still have arrived.",
            todo="Repair the endpoint, then call again.",
        )
