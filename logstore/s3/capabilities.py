"""What a server was found to do with evidence, and whether that is enough to write to it.

The rule, `judge`, fails closed. To be written to, a bucket must keep versions, have Object Lock on,
take a locked object, show the lock, and refuse to shorten the lock or to remove the version; and it
must refuse bytes with a wrong SHA-256 or bytes with a wrong MD5. What could not be found out counts
as not so. Newer versions and delete markers must not be seen to hide what lies below; who may lay
none can not try that, and is let through. All the rest leads to a remark: above all a server that
lets a second create-only put succeed is written to, since every put looks at the versions of its
name anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

PROBES = ".probe/"
"""What the names of throw-away objects start with; nothing below it is evidence."""

MEANINGS = {
    "versioning": "The bucket keeps every version of an object.",
    "object-lock": "The bucket has Object Lock on.",
    "default-retention": "The bucket locks what is put without a lock of its own.",
    "locked-put": "An object can be put locked, in one request.",
    "lock-shown": "The server shows the lock of what was put, mode and date.",
    "create-only": "A second create-only put of a name is refused.",
    "wrong-sha256-refused": "Bytes whose SHA-256 is not the one sent with them are refused.",
    "wrong-md5-refused": "Bytes whose MD5 is not the one sent with them are refused.",
    "other-bytes-refused": "Bytes other than those that were signed are refused.",
    "shorten-refused": "A COMPLIANCE lock can not be shortened.",
    "delete-refused": "A version under a COMPLIANCE lock can not be removed.",
    "bypass-refused": "Nor by those who may override a GOVERNANCE lock.",
    "extend": "A lock can be made longer.",
    "legal-hold": "A version under legal hold can not be removed.",
    "shadow-visible": "A newer version is listed above the one that was first.",
    "marker-visible": "A delete marker is listed, and hides no version that is asked for by id.",
    "multipart-locked": "What is uploaded in parts is locked too; evidence never is.",
    "event-hold": "A retention that begins with an event is kept.",
    "clock": "The server's clock and this machine's differ by less than a minute.",
}
"""Every probe, in the order they are told, and what it means when it held."""

_NEEDED = ("versioning", "object-lock", "locked-put", "lock-shown", "shorten-refused",
           "delete-refused", "bypass-refused")  # fmt: skip
_EITHER = ("wrong-sha256-refused", "wrong-md5-refused")
_NOT_BROKEN = ("shadow-visible", "marker-visible")
_REMARKS = {
    "create-only": "Two writers are told apart by the version listing alone.",
    "extend": "Retentions can not be made longer here.",
    "legal-hold": "Legal holds do not protect anything here.",
    "clock": "Signatures are refused from 15 minutes of difference on; set the clock.",
}


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one attempt showed.

    Attributes:
        name: one of `MEANINGS`.
        means: what it means when it held.
        held: whether it did; None when that could not be found out.
        detail: what was seen, in few words; what the server said is quoted.
    """

    name: str
    means: str
    held: bool | None
    detail: str = ""


class Capabilities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a server was found to do, to be kept on a log.

    Attributes:
        store: bucket and prefix.
        endpoint: the server; empty for Amazon's own.
        probed_us: when, microseconds since 1970 UTC by this machine's clock.
        probes: every probe once, in the order of `MEANINGS`.
    """

    store: str
    endpoint: str
    probed_us: int
    probes: tuple[Probe, ...]

    def held(self, name: str) -> bool | None:
        """Whether one probe held; None when that is not known."""
        return next((each.held for each in self.probes if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a bucket may be written to.

    Attributes:
        fit: whether it may.
        missing: names of the probes for which it may not.
        remarks: what does not work there, in sentences.
    """

    fit: bool
    missing: tuple[str, ...]
    remarks: tuple[str, ...]


def judge(found: Capabilities) -> Verdict:
    """Apply the rule of this module."""
    missing = [name for name in _NEEDED if found.held(name) is not True]
    if not any(found.held(name) for name in _EITHER):
        missing += _EITHER
    missing += [name for name in _NOT_BROKEN if found.held(name) is False]
    remarks = [said for name, said in _REMARKS.items() if found.held(name) is not True]
    return Verdict(not missing, tuple(missing), tuple(remarks))


def probe(name: str, held: bool | None, detail: str = "") -> Probe:
    """One result, with what it means."""
    return Probe(name, MEANINGS[name], held, detail)
