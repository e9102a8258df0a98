"""The bytes that are put are those that were meant: the last look before they leave.

The SHA-256 that SigV4 signs (``x-amz-content-sha256``) is worked out from the bytes themselves when
they are sent. It is held against the digest that the object should have, as its pin says: a file
that rotted since then is not put.
"""

from __future__ import annotations

from typing import Any

from logstore.errors import TamperingFound

BEFORE_PUT = "before-send.s3.PutObject"
"""The event of boto3 at which the request of a put is ready and not sent."""

_SIGNED, _MEANT = "x-amz-content-sha256", "x-amz-meta-sha256"
_OURS = ("x-amz-meta-nonce", "x-amz-checksum-sha256")  # which `publishing` sends beside it


def check_signed(request: Any, **_: object) -> None:
    """Compare what is about to be sent with the digest that goes along as metadata.

    Raises:
        TamperingFound: its bytes are others.
    """
    signed, meant = (_text(request.headers.get(name)) for name in (_SIGNED, _MEANT))
    if meant and all(name in request.headers for name in _OURS) and signed != meant:
        raise TamperingFound(
            "what was to be put has other bytes than when its digest was taken",
            kept="Nothing was put.",
            todo="Check the disk of this machine, and who may write to its files.",
        )


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
