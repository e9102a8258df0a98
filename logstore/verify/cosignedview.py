"""What cosigned checkpoints in a store say, and which of them are not what they claim to be."""

from __future__ import annotations

import hashlib
from typing import Protocol

from logstore.errors import AirconError, FormatError
from logstore.formats.cosigned import Cosigned, open_cosigned
from logstore.formats.note import MAX_NOTE
from logstore.formats.policy import Policy
from logstore.storage import layout
from logstore.verify.evidence import Evidence
from logstore.verify.findings import Finding
from logstore.verify.heads import Head
from logstore.verify.surroundings import Listing


class _View(Protocol):
    """The parts of a `LogView` that are filled here."""

    origin: str
    cosigned: list[Cosigned]
    heads: list[Head]
    claimed: set[str]
    true: dict[str, bytes]
    findings: list[Finding]


def read_cosigned(view: _View, evidence: Evidence, listing: Listing, policy: Policy) -> None:
    """Read them all; the log is held to each, whoever cosigned it.

    Read before the records themselves: what was cosigned before must be among them.
    """
    joined: dict[str, Cosigned] = {}
    for key in listing.below(layout.cosigned_prefix(view.origin)):
        size = layout.cosigned_size(key)
        if size is None:
            continue  # nothing accounts for it: an extra file
        view.claimed.add(key)
        one, data = _first_good(view.origin, evidence, key, policy)
        if isinstance(one, Finding):
            view.findings.append(one)
            continue
        view.true[key] = hashlib.sha256(data).digest()
        view.findings += [
            Finding("cosignature-wrong", f"it bears the name of {name}", key, None)
            for name in one.wrong
        ]
        head = one.checkpoint
        known = "the checkpoint that came back from witnesses"
        view.heads.append(Head(head.origin, head.size, head.root, known, key))
        text = head.text()
        joined[text] = joined[text].joined(one) if text in joined else one
    view.cosigned = sorted(joined.values(), key=lambda one: one.checkpoint.size)


def _first_good(
    origin: str, evidence: Evidence, key: str, policy: Policy
) -> tuple[Cosigned | Finding, bytes]:
    """The first that holds of what bears a name: others may have put something there before."""
    bad: Finding | None = None
    for data in evidence.smalls(key, MAX_NOTE):
        one = _judge(origin, data, key, policy)
        if not isinstance(one, Finding):
            return one, data
        bad = bad or one
    return bad or _judge(origin, b"", key, policy), b""


def _judge(origin: str, data: bytes, key: str, policy: Policy) -> Cosigned | Finding:
    try:
        one = open_cosigned(data, policy)
    except FormatError as error:
        return Finding("cosigned-changed", error.what, key)
    except AirconError as error:
        return Finding("signature-wrong", error.what, key)
    if one.checkpoint.origin != origin:
        return Finding("cosigned-changed", "it is another log's checkpoint", key)
    if key != layout.cosigned_object(origin, one.checkpoint.size, data):
        return Finding("cosigned-changed", "its bytes are not those its name was made of", key)
    return one
