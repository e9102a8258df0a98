"""Why a request is not answered with success, each with the answer code that makes senders right.

    Refused
    ├── NotTaken       400, 404, 405, 408, 413, 415: the request is wrong and stays wrong
    ├── NotAdmitted    401, 403: no token, or not for this
    └── ComeBack       429, 503 with Retry-After: the same request will be taken later

OpenTelemetry's exporters drop a batch for good on 400, 500 and 507, and send it again on 429 and
503 (OTLP specification, "Retryable Response Codes"): whatever is our own trouble is therefore 503.
No text here holds anything of a request's content.
"""

from __future__ import annotations


class Refused(Exception):
    """A request that is not taken.

    Args:
        status: HTTP status code.
        slug: short machine-readable reason.
        message: words for a person; never content.
        retry_after: whole seconds after which to try again; None where that would not help.
    """

    def __init__(
        self, status: int, slug: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(slug)
        self.status = status
        self.slug = slug
        self.message = message
        self.retry_after = retry_after


class NotTaken(Refused):
    """The request itself can not be used."""


class NotAdmitted(Refused):
    """The sender is not known, or may not do this."""


class ComeBack(Refused):
    """The request may be fine; it is not stored now."""


def later(slug: str, message: str, seconds: int = 5) -> ComeBack:
    """503: our own trouble, or too much at a time."""
    return ComeBack(503, slug, message, seconds)


def too_large(slug: str, limit: int) -> NotTaken:
    """413 with the limit in words."""
    return NotTaken(
        413, slug, f"at most {limit:,} bytes are taken in one request; send smaller batches"
    )
