"""Capture: foreign bytes in, records out. Decoders are pure; `importing` does the I/O.

`client` sends what an application says to models to an aircon endpoint; it is loaded when it is
first asked for, so that nobody who only reads pays for an HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logstore.capture.sending.client import client

__all__ = ["client"]


def __getattr__(name: str) -> object:
    if name != "client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from logstore.capture.sending.client import client

    return client
