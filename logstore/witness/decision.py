"""Whether a witness may cosign: C2SP tlog-witness v1, "add-checkpoint". Pure.

A witness vouches for one thing: that everybody who asks it is shown the same log, which only ever
grows. So it cosigns what extends the newest checkpoint it cosigned, and nothing else.
"""

from __future__ import annotations

from logstore.errors import CannotJudge, FormatError, TamperingFound
from logstore.formats.addcheckpoint import AddCheckpoint
from logstore.formats.checkpoint import Checkpoint
from logstore.formats.merkle import verify_consistency
from logstore.formats.policy import Policy


def decide(request: AddCheckpoint, known: Checkpoint | None, policy: Policy) -> Checkpoint:
    """The checkpoint, if the witness may cosign it.

    Args:
        request: what the log asks.
        known: the newest checkpoint of this origin that the witness cosigned; None for none.
        policy: which logs it believes; their own signatures are asked for, no quorum.

    Raises:
        CannotJudge: the log is not listed, or the request starts at another size (HTTP 404, 409).
        FormatError: the request contradicts itself (HTTP 400).
        TamperingFound: the log's signature is wrong (HTTP 403), or it does not extend what the
            witness has seen (HTTP 422).
    """
    fresh = Policy(policy.logs).check(request.checkpoint)
    if request.old > fresh.size:
        raise FormatError(f"a request from {request.old} records on for a log of {fresh.size}")
    seen = 0 if known is None else known.size
    if fresh.size < seen:
        raise TamperingFound(
            f"{fresh.origin} shows {fresh.size} records; this witness cosigned {seen}",
            kept=f"Nothing was signed; the witness still vouches for {seen} records.",
            todo="Unless this is an old request, the log was cut or put back: keep both copies.",
        )
    if request.old != seen:
        raise CannotJudge(
            f"the request starts at {request.old} records, this witness saw {seen} last",
            kept="Nothing was signed.",
            todo=f"Make it again with `aircon witness request --old {seen}`.",
        )
    _check_growth(request, known, fresh)
    return fresh


def _check_growth(request: AddCheckpoint, known: Checkpoint | None, fresh: Checkpoint) -> None:
    if known is None or not known.size:
        if request.hashes:
            raise FormatError("a proof of growth from nothing")
        return
    try:
        verify_consistency(known.size, fresh.size, request.hashes, known.root, fresh.root)
    except FormatError as error:
        raise TamperingFound(
            f"{fresh.origin} with {fresh.size} records does not extend the {known.size} that"
            f" this witness cosigned: {error.what}",
            kept="Nothing was signed.",
            todo="Two histories were signed, or one was rewritten: keep this request as evidence.",
        ) from None
