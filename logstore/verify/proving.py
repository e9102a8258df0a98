"""Proof of one record for someone who has neither the store nor any key.

The proof file is a C2SP tlog-proof whose extra data is the record's leaf, so any verifier of that
format accepts it (with the leaf, `leaf_of`, as the entry) and ours needs nothing else. Content is
disclosed in a second file: the bytes and the nonce that the leaf's commitment was made with. That
discloses this record only; no key leaves the key store.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from logstore.errors import (
    CannotJudge,
    FormatError,
    KeyUnavailable,
    NotFound,
    TamperingFound,
)
from logstore.formats.body import MAX_CONTENT, NONCE, Body, commitment
from logstore.formats.body import parse as parse_body
from logstore.formats.checkpoint import Checkpoint, peek_checkpoint
from logstore.formats.leaf import Leaf, leaf_hash, parse
from logstore.formats.merkle import verify_inclusion
from logstore.formats.policy import Policy, Verdict
from logstore.formats.proof import TlogProof, parse_tlog_proof
from logstore.storage.bodies import Unreadable
from logstore.storage.reader import LogReader
from logstore.storage.treeproofs import inclusion
from logstore.verify.findings import EXIT_CANNOT_JUDGE, EXIT_TAMPERING, EXIT_VERIFIED, NOT_PROVEN

DISCLOSURE_FORMAT = "aircon-disclosure/1"
"""The `format` member of a disclosure file."""

_MAX_DISCLOSURE = 2 * MAX_CONTENT


class Disclosed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of one record, to lie beside its proof; binary members are base64 in JSON.

    Attributes:
        format: `DISCLOSURE_FORMAT`.
        origin: the log.
        index: the record's position.
        nonce: 32 bytes, the nonce of the commitment.
        content: the exact content.
    """

    format: str
    origin: str
    index: int
    nonce: bytes
    content: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


@dataclass(slots=True)
class CheckResult:
    """What a proof shows.

    Attributes:
        exit_code: 0 proven, 1 false, 2 could not judge.
        problem: why it is not proven; empty when it is.
        proven: what it shows, in words.
        not_proven: what it does not.
        leaf: the record's clear part, once proven.
        checkpoint: the signed checkpoint whose tree holds the record.
        witnessed: time of each witness's cosignature, seconds since 1970 UTC, by name.
        body: its content, where it was disclosed and fits.
    """

    exit_code: int = EXIT_CANNOT_JUDGE
    problem: str = ""
    proven: list[str] = field(default_factory=list)
    not_proven: list[str] = field(default_factory=list)
    leaf: Leaf | None = None
    checkpoint: Checkpoint | None = None
    witnessed: dict[str, int] = field(default_factory=dict)
    body: Body | None = None


def prove(reader: LogReader, index: int) -> bytes:
    """The proof file of a record, sealed or not.

    It leads to the newest checkpoint that the policy's quorum of witnesses has cosigned; where
    none of these covers the record, to the newest signed one, which a policy with a quorum will
    not accept yet.

    Raises:
        NotFound: there is no such record.
        TamperingFound: what is stored for the record is not what the tree holds.
    """
    if not 0 <= index < reader.size:
        raise NotFound(f"there is no record {index}; the log holds {reader.size}")
    head, note = reader.checkpoint, reader.note
    witnessed = reader.cosigned.witnessed()
    if index < witnessed.size:
        head, note = peek_checkpoint(witnessed.note), witnessed.note
    leaf = reader.leaves(index, 1)[0]
    path = inclusion(reader, index, head.size)
    try:
        verify_inclusion(index, head.size, leaf_hash(leaf), path, head.root)
    except FormatError:
        raise TamperingFound(
            f"what is stored for record {index} is not what the signed tree holds",
            todo="Run `aircon verify` for the full list.",
        ) from None
    return TlogProof(index, tuple(path), note, leaf).encode()


def disclose(reader: LogReader, index: int) -> bytes:
    """The disclosure file of a record's content.

    Raises:
        NotFound: there is no such record.
        CannotJudge: the reader was opened without a key store.
        KeyUnavailable: the record has no content, or it can not be opened.
    """
    if not 0 <= index < reader.size:
        raise NotFound(f"there is no record {index}; the log holds {reader.size}")
    for _, _, _, opened in reader.disclosures(index, 1):
        if isinstance(opened, Unreadable):
            raise KeyUnavailable(f"the content of record {index} can not be read: {opened.reason}")
        return Disclosed(
            DISCLOSURE_FORMAT, reader.origin, index, opened.nonce, opened.content
        ).encode()
    raise NotFound(f"there is no record {index}")


def leaf_of(proof: bytes) -> bytes:
    """The leaf inside a proof file, for verifiers that want the entry as a file of its own.

    Raises:
        FormatError: not a proof file, or one without its leaf.
    """
    extra = parse_tlog_proof(proof).extra
    if extra is None:
        raise FormatError("this proof does not carry its record")
    return extra


def check(proof: bytes, policy: Policy | None, *, disclosure: bytes | None = None) -> CheckResult:
    """Check a proof file, offline, with no store.

    Args:
        proof: the proof file.
        policy: whom to believe, from elsewhere than the proof; None gives exit code 2.
        disclosure: the disclosure file, if content was disclosed.
    """
    result = CheckResult(not_proven=list(NOT_PROVEN))
    if policy is None:
        return _failed(
            EXIT_CANNOT_JUDGE, "no trust policy was given; keys in a proof prove nothing"
        )
    try:
        _check_record(proof, policy, result)
        if disclosure is not None:
            _check_content(disclosure, result)
    except CannotJudge as error:
        return _failed(EXIT_CANNOT_JUDGE, error.what)
    except (FormatError, TamperingFound) as error:
        return _failed(EXIT_TAMPERING, error.what)
    result.exit_code = EXIT_VERIFIED
    return result


def _check_record(data: bytes, policy: Policy, result: CheckResult) -> None:
    proof = parse_tlog_proof(data)
    raw = leaf_of(data)
    verdict: Verdict = policy.examine(proof.checkpoint)
    head = verdict.checkpoint
    verify_inclusion(proof.index, head.size, leaf_hash(raw), proof.hashes, head.root)
    leaf = parse(raw)
    if leaf.index != proof.index:
        raise TamperingFound(f"the record says it is {leaf.index}, the proof says {proof.index}")
    result.leaf, result.checkpoint, result.witnessed = leaf, head, verdict.witnessed
    result.proven += [
        f"record {leaf.index} of {head.origin} has exactly these clear fields",
        f"the log signed it, with everything before it, in a checkpoint of {head.size} records",
    ]
    if verdict.witnessed:
        result.proven.append(f"cosigned by {', '.join(sorted(verdict.witnessed))}")
    else:
        result.not_proven.append("when it was signed, and that others saw the same log")
    if leaf.body is not None:
        result.not_proven.append("its content, beyond that nobody can exchange it")


def _check_content(data: bytes, result: CheckResult) -> None:
    leaf, head = result.leaf, result.checkpoint
    disclosed = parse_disclosure(data)
    if leaf is None or head is None or leaf.body is None:
        raise TamperingFound("content was disclosed for a record that has none")
    if (disclosed.origin, disclosed.index) != (head.origin, leaf.index):
        raise TamperingFound("the disclosure is of another record")
    if commitment(disclosed.nonce, disclosed.content) != leaf.body.commit:
        raise TamperingFound("the disclosed content is not what the record commits to")
    result.body = parse_body(disclosed.content)
    result.not_proven = [each for each in result.not_proven if not each.startswith("its content")]
    result.proven.append("its content is exactly what was disclosed")


def parse_disclosure(data: bytes) -> Disclosed:
    """Read a disclosure file without believing it.

    Raises:
        FormatError: not exactly such a file.
    """
    if len(data) > _MAX_DISCLOSURE:
        raise FormatError("disclosure larger than any content can be")
    try:
        disclosed = msgspec.json.decode(data, type=Disclosed)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FormatError(f"disclosure can not be read: {error}") from None
    if disclosed.format != DISCLOSURE_FORMAT or disclosed.encode() != data:
        raise FormatError("disclosure is not in its one spelling")
    if len(disclosed.nonce) != NONCE:
        raise FormatError("disclosure with a nonce of another length than 32 bytes")
    return disclosed


def _failed(code: int, problem: str) -> CheckResult:
    return CheckResult(code, problem, not_proven=["anything: see the problem"])
