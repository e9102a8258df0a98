"""Claims: who publishes the segment that starts at a record; a signed note per segment.

    aircon-claim/1
    <first> <count>
    <SHA-256 of the index object, hexadecimal>
    <writer's id> <writer's host>

The note's signature is the log's own, so nobody else can claim; two writers with copies of one key
can, and the claim that was put first decides between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from logstore.errors import AirconError, FormatError
from logstore.formats.note import NoteSigner, Verifier, open_note, sign_note
from logstore.formats.spelling import parse_decimal

_FORMAT = "aircon-claim/1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_WRITER = re.compile(r"[0-9a-f]{16} [!-~]{1,255}")

MAX_CLAIM = 4096
"""Most bytes of a claim."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    Attributes:
        first: index of the segment's first record.
        count: its number of records.
        index_sha256: digest of its index object, hexadecimal.
        writer: id and host of the writer, for people.
    """

    first: int
    count: int
    index_sha256: str
    writer: str

    def sign(self, signer: NoteSigner) -> bytes:
        """The signed note."""
        lines = (_FORMAT, f"{self.first} {self.count}", self.index_sha256, self.writer)
        return sign_note("\n".join(lines) + "\n", signer)


def open_claim(data: bytes, verifiers: Iterable[Verifier]) -> Claim:
    """Read a claim whose signature holds.

    Raises:
        FormatError: not exactly a claim, or not signed by one of the verifiers.
    """
    if len(data) > MAX_CLAIM:
        raise FormatError(f"a claim has at most {MAX_CLAIM} bytes")
    try:
        lines = open_note(data, verifiers).text.split("\n")
    except AirconError as error:
        raise FormatError(f"claim: {error.what}") from None
    if len(lines) != 5 or lines[0] != _FORMAT or lines[4]:
        raise FormatError("claim does not have its four lines")
    first, space, count = lines[1].partition(" ")
    if not space or not _DIGEST.fullmatch(lines[2]) or not _WRITER.fullmatch(lines[3]):
        raise FormatError("claim has lines that are not what they must be")
    return Claim(parse_decimal(first, "first"), parse_decimal(count, "count"), lines[2], lines[3])
