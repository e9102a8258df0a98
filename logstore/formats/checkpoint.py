"""Signed checkpoints: a checkpoint text as a signed note (C2SP tlog-checkpoint v1.0.0).

The key that counts is the log's: one whose name is the checkpoint's origin. Cosignatures of
witnesses say something else and never stand in for it (see `cosignature` and `policy`).
"""

from __future__ import annotations

from collections.abc import Iterable

from logstore.errors import CannotJudge, FormatError
from logstore.formats.checkpointtext import Checkpoint, parse_checkpoint_text
from logstore.formats.note import NoteSigner, Verifier, open_note, parse_note, sign_note

__all__ = [
    "Checkpoint",
    "open_checkpoint",
    "parse_checkpoint_text",
    "peek_checkpoint",
    "sign_checkpoint",
]


def sign_checkpoint(checkpoint: Checkpoint, *signers: NoteSigner) -> bytes:
    """The signed note.

    Raises:
        FormatError: the first signer's name is not the checkpoint's origin.
        UsageError: no signer was given.
    """
    if signers and signers[0].verifier().name != checkpoint.origin:
        raise FormatError("the key that signs a checkpoint has the origin as its name")
    return sign_note(checkpoint.text(), *signers)


def open_checkpoint(data: bytes, verifiers: Iterable[Verifier]) -> Checkpoint:
    """Read a signed checkpoint that a trusted log key signed.

    Args:
        data: the signed note.
        verifiers: trusted keys; log keys are told by their name, which is the origin.

    Raises:
        FormatError: not a signed checkpoint.
        TamperingFound: a signature of a known key is wrong.
        CannotJudge: no trusted key of this origin signed it.
    """
    note = open_note(data, verifiers)
    checkpoint = parse_checkpoint_text(note.text)
    if all(signature.name != checkpoint.origin for signature in note.signatures):
        raise CannotJudge(f"no trusted key of the log {checkpoint.origin} signed its checkpoint")
    return checkpoint


def peek_checkpoint(data: bytes) -> Checkpoint:
    """Read a signed checkpoint WITHOUT checking any signature: to find out whom to ask.

    Raises:
        FormatError: not a signed checkpoint.
    """
    return parse_checkpoint_text(parse_note(data).text)
