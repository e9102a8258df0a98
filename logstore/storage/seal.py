"""The seal: a segment's public proof, published beside its two objects.

It holds the ``segment.sealed`` leaf with a C2SP tlog-proof that the log contains it, the signed
checkpoint at the segment's end, and what makes proofs of single records cheap: the tree's edge
there and the roots of whole blocks. Everything in it can be recomputed from the leaves; a verifier
does, and believes none of it before.
"""

from __future__ import annotations

import msgspec

from logstore.errors import FormatError, TamperingFound
from logstore.formats.custody import CustodyEvent, custody_digest
from logstore.formats.leaf import Leaf, leaf_hash, parse
from logstore.formats.merkle import Frontier
from logstore.formats.pins import (
    KIND,
    SegmentPin,
    SupplementPin,
    destroyed_digest,
    from_clear,
    supplements_digest,
)
from logstore.formats.policy import Policy
from logstore.formats.proof import check_tlog_proof, parse_tlog_proof

FORMAT = "aircon-seal/1"


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One seal; binary members are base64 in JSON.

    Attributes:
        format: ``aircon-seal/1``.
        first: index of the segment's first record.
        count: its number of records.
        proof: C2SP tlog-proof of the ``segment.sealed`` record; its extra data is the leaf.
        checkpoint: signed checkpoint of the tree that ends with this segment.
        frontier: `Frontier.to_bytes` of that tree.
        blocks: roots of the blocks of `edge.BLOCK` leaves that become whole in this segment.
        destroyed: ids of keys that records of this segment say were destroyed.
        supplements: pins in ``supplement.sealed`` records of this segment.
        custody: its records of holds and retention; left out where there are none.
    """

    format: str
    first: int
    count: int
    proof: str
    checkpoint: str
    frontier: bytes
    blocks: list[bytes]
    destroyed: list[str]
    supplements: list[SupplementPin]
    custody: list[CustodyEvent] | msgspec.UnsetType = msgspec.UNSET

    @property
    def end(self) -> int:
        """Index just behind the last record."""
        return self.first + self.count

    def edge(self) -> Frontier:
        """The tree's edge at the segment's end.

        Raises:
            FormatError: it is not one, or not of that size.
        """
        frontier = Frontier.from_bytes(self.frontier)
        if frontier.size != self.end:
            raise FormatError(f"seal of segment {self.first} carries the edge of another tree")
        return frontier

    def lists_fit(self, pin: SegmentPin) -> bool:
        """Whether the lists are those that the signed pin binds."""
        bound = (destroyed_digest(self.destroyed), supplements_digest(self.supplements))
        held = custody_digest(self.custody or [])
        return (*bound, held) == (pin.destroyed, pin.supplements, pin.custody or "")

    def encode(self) -> bytes:
        """The object's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def parse_seal(data: bytes) -> Seal:
    """Read a seal strictly.

    Raises:
        FormatError: not exactly the bytes of a seal.
    """
    try:
        seal = msgspec.json.decode(data, type=Seal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"seal cannot be read: {error}") from None
    if seal.format != FORMAT or seal.encode() != data:
        raise FormatError("seal is not in its one spelling")
    return seal


def pin_of(leaf: bytes) -> tuple[Leaf, SegmentPin]:
    """The pin in a ``segment.sealed`` leaf.

    Raises:
        FormatError: the leaf is of another kind, or its fields are not a pin's.
    """
    parsed = parse(leaf)
    if parsed.kind != KIND:
        raise FormatError(f"record {parsed.index} is a {parsed.kind}, not a {KIND}")
    return parsed, from_clear(parsed.clear)


def pinned_by(data: bytes) -> set[str]:
    """Names of the objects that a seal lists, by its own word: nothing is checked.

    Raises:
        FormatError: it is not laid out as a seal.
        ValueError: likewise.
    """
    seal = parse_seal(data)
    _, pin = pin_of(parse_tlog_proof(seal.proof.encode()).extra or b"")
    objects = [pin.index, pin.body, *(each.body for each in seal.supplements)]
    return {each.key for each in objects if each is not None}


def check_seal(seal: Seal, policy: Policy, origin: str) -> SegmentPin:
    """The pin in a seal, once its proof and both checkpoints hold.

    Raises:
        TamperingFound: a signature, proof or claim of the seal is false.
        CannotJudge: the policy does not list the log, or asks for witnesses, which no seal has.
    """
    proof = parse_tlog_proof(seal.proof.encode())
    leaf, pin = pin_of(proof.extra or b"")
    check_tlog_proof(proof, leaf_hash(proof.extra or b""), policy)
    head = policy.check(seal.checkpoint.encode())
    if leaf.index != proof.index or head.origin != origin:
        raise TamperingFound(f"the seal of segment {seal.first} belongs to another record or log")
    if (pin.first, pin.count) != (seal.first, seal.count) or (head.size, head.root) != (
        pin.end,
        pin.root,
    ):
        raise TamperingFound(f"the seal of segment {seal.first} contradicts its own record")
    if not seal.lists_fit(pin):
        raise TamperingFound(
            f"the seal of segment {seal.first} lists other destroyed keys, supplements or holds"
        )
    if seal.edge().root() != head.root:
        raise TamperingFound(f"the seal of segment {seal.first} carries the edge of another tree")
    return pin
