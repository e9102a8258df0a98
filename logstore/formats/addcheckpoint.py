r"""What a log asks of a witness: the body of a C2SP tlog-witness v1 "add-checkpoint" request.

    old <size that the witness saw last>\n
    <base64 hash of the consistency proof>\n ...
    \n
    <signed checkpoint>

The same bytes travel as a file between two people or by HTTP. What the witness does with them is
`logstore.witness.decision`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.checkpoint import peek_checkpoint
from logstore.formats.merkle import MAX_PROOF, MAX_SIZE
from logstore.formats.note import MAX_NOTE
from logstore.formats.spelling import encode_base64, parse_base64, parse_decimal
from logstore.formats.treehash import HASH

MAX_REQUEST = MAX_NOTE + 8_192
"""Largest request in bytes."""

_OLD = "old "


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request; nothing in it is checked beyond its form.

    Attributes:
        old: size of the newest tree that the log believes the witness has seen; 0 for none.
        hashes: consistency proof from there to the checkpoint.
        checkpoint: the signed checkpoint.
    """

    old: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The request's bytes."""
        lines = [f"{_OLD}{self.old}", *map(encode_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Read a request strictly.

    Raises:
        FormatError: not exactly such a request.
    """
    if len(data) > MAX_REQUEST:
        raise FormatError(f"request of {len(data)} bytes; the format allows {MAX_REQUEST}")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        first, *proof = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise FormatError("request to a witness that does not start with ASCII lines") from None
    if not blank or not first.startswith(_OLD) or len(proof) > MAX_PROOF:
        raise FormatError("not a request to a witness")
    old = parse_decimal(first.removeprefix(_OLD), "old size")
    hashes = tuple(parse_base64(line, "consistency proof hash") for line in proof)
    if old > MAX_SIZE or any(len(each) != HASH for each in hashes):
        raise FormatError("request to a witness with a size or hash that is none")
    peek_checkpoint(checkpoint)
    request = AddCheckpoint(old, hashes, checkpoint)
    if request.encode() != data:
        raise FormatError("request to a witness that is not in its one spelling")
    return request
