"""Request ids of gateways, made from the ids a call already has, so that no draw is spent."""

from __future__ import annotations

from drills.sample.call import Call, Turn


def request_id(turn: Turn, call: Call, variant: str) -> str:
    """A UUID for this call.

    Args:
        turn: the turn it belongs to.
        call: the call.
        variant: one of 8, 9, a, b: tells the gateways apart.
    """
    span, root = call.span, turn.root
    return f"{span[:8]}-{span[8:12]}-4{root[:3]}-{variant}{root[3:6]}-{turn.trace[:12]}"
