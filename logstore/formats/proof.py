r"""Offline proofs that a record is in a log (C2SP tlog-proof v1, file name ``*.tlog-proof``).

    c2sp.org/tlog-proof@v1\n
    [extra <base64>\n]
    index <decimal>\n
    <base64 hash>\n...
    \n
    <signed checkpoint, verbatim>

`extra` is authenticated by nothing. Here it may carry the leaf bytes, so that one file is enough;
whoever reads them must hash them and check the proof against that hash.
"""

from __future__ import annotations

from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.checkpoint import peek_checkpoint
from logstore.formats.checkpointtext import Checkpoint
from logstore.formats.merkle import MAX_PROOF, verify_inclusion
from logstore.formats.policy import Policy
from logstore.formats.spelling import encode_base64, parse_base64, parse_decimal
from logstore.formats.treehash import HASH, MAX_SIZE

MAX_FILE = 1_000_000
"""Largest proof file in bytes."""

MAGIC = "c2sp.org/tlog-proof@v1"
"""First line of every proof."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """One proof.

    Attributes:
        index: the record's position in the log.
        hashes: inclusion proof, leaf's sibling first, 32 bytes each.
        checkpoint: signed checkpoint, exactly as the log gave it.
        extra: further bytes for the reader, NOT authenticated; None where there are none.

    Raises:
        FormatError: values that have no place in a proof.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_SIZE:
            raise FormatError(f"proof index {self.index} is out of range")
        if len(self.hashes) > MAX_PROOF or any(len(each) != HASH for each in self.hashes):
            raise FormatError(f"a proof has at most {MAX_PROOF} hashes of {HASH} bytes")
        if self.extra == b"":
            raise FormatError("a proof without extra data leaves the line out")
        peek_checkpoint(self.checkpoint)

    def encode(self) -> bytes:
        """The proof file.

        Raises:
            FormatError: it would be larger than `MAX_FILE`.
        """
        lines = [MAGIC]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += map(encode_base64, self.hashes)
        data = "\n".join([*lines, "", ""]).encode() + self.checkpoint
        if len(data) > MAX_FILE:
            raise FormatError(f"proof of {len(data)} bytes; the format allows {MAX_FILE}")
        return data


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Read a proof file without believing it.

    Raises:
        FormatError: not exactly such a file.
    """
    if len(data) > MAX_FILE:
        raise FormatError(f"proof of {len(data)} bytes; the format allows {MAX_FILE}")
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n", MAX_PROOF + 3)
    except UnicodeDecodeError:
        raise FormatError("proof is not ASCII before its checkpoint") from None
    if not blank or lines.pop(0) != MAGIC:
        raise FormatError(f"a proof begins with {MAGIC} and has a checkpoint after an empty line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = parse_base64(lines.pop(0).removeprefix("extra "), "extra data of a proof")
    if not lines or not lines[0].startswith("index "):
        raise FormatError("proof without an index line")
    index = parse_decimal(lines.pop(0).removeprefix("index "), "proof index")
    hashes = tuple(parse_base64(line, "proof hash") for line in lines)
    proof = TlogProof(index, hashes, checkpoint, extra)
    if proof.encode() != data:
        raise FormatError("proof is not in its one spelling")
    return proof


def check_tlog_proof(proof: TlogProof, leaf: bytes, policy: Policy) -> Checkpoint:
    """Check a proof: signatures by the policy first, then the path to the signed root.

    Args:
        proof: the proof.
        leaf: leaf hash, worked out by the caller from the record's own bytes.
        policy: whom to believe; never taken from the proof.

    Returns:
        The checkpoint in whose tree the record is.

    Raises:
        FormatError: the path does not lead to the signed root.
        TamperingFound: a signature of a known key is wrong or missing.
        CannotJudge: the log is not listed, or too few witnesses have cosigned.
    """
    checkpoint = policy.check(proof.checkpoint)
    verify_inclusion(proof.index, checkpoint.size, leaf, proof.hashes, checkpoint.root)
    return checkpoint
