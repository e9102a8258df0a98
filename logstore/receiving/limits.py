"""How much one sender, and all senders together, may ask of the endpoint."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the endpoint; the memory it takes under overload follows from them.

    Attributes:
        body_bytes: largest request body as sent.
        inflated_bytes: largest request body once inflated.
        inflate_ratio: most inflated bytes per byte sent, beyond the first MiB.
        header_bytes: largest request line and headers.
        header_s: seconds in which the headers of a request must arrive.
        body_s: seconds in which its body must arrive.
        pending_bytes: inflated bytes of all requests that are not answered yet; more is told to
            come back later.
        connections: connections open at a time.
        decoders: processes beside this one that decode; None for as many as pay on this machine.
        min_free_bytes: free space of the store's file system below which nothing is taken.
    """

    body_bytes: int = 32 * MIB
    inflated_bytes: int = 64 * MIB
    inflate_ratio: int = 200
    header_bytes: int = 32 * 1024
    header_s: float = 10
    body_s: float = 30
    pending_bytes: int = 192 * MIB
    connections: int = 512
    decoders: int | None = None
    min_free_bytes: int = 256 * MIB
