"""What S3 servers do, where it matters here, and where they do something else than AWS documents.

Every row is asserted on every server by tests/logstore/s3, so a server that changes is noticed, and
the table in docs/s3.md is made from it. The column for AWS is what its documentation says; nothing
here was run on AWS.
"""

from __future__ import annotations

from dataclasses import dataclass

SERVERS = ("moto", "rgw", "ministack")


@dataclass(frozen=True)
class Habit:
    """One thing that servers do or do not.

    Attributes:
        what: the thing.
        aws: whether AWS documents it.
        moto: whether moto 5.2 does it.
        rgw: whether Ceph RGW 16.2 does it, over http and https alike.
        ministack: whether ministack 1.5 does it.
    """

    what: str
    aws: bool
    moto: bool
    rgw: bool
    ministack: bool

    def of(self, server: str) -> bool:
        """What a server of `s3_servers` does."""
        return bool(getattr(self, server.partition("-")[0]))


HABITS = {
    "versioning": Habit("keeps every version", True, True, True, True),
    "object-lock": Habit("tells that Object Lock is on", True, True, True, True),
    "default-retention": Habit("locks what is put without a lock (unless set up to)",
                               False, False, False, False),
    "locked-put": Habit("takes a locked object in one put", True, True, True, True),
    "lock-shown": Habit("shows the lock of a version", True, True, True, True),
    "create-only": Habit("refuses a second create-only put (`If-None-Match: *`)",
                         True, True, False, True),
    "wrong-sha256-refused": Habit("refuses bytes with a wrong SHA-256", True, False, False, True),
    "wrong-md5-refused": Habit("refuses bytes with a wrong MD5", True, False, True, True),
    "other-bytes-refused": Habit("refuses other bytes than were signed", True, False, True, False),
    "shorten-refused": Habit("refuses to shorten a COMPLIANCE lock", True, False, True, True),
    "delete-refused": Habit("refuses to remove a locked version", True, True, True, True),
    "bypass-refused": Habit("... also with the right to override GOVERNANCE",
                            True, True, True, True),
    "extend": Habit("makes a lock longer", True, True, True, True),
    "legal-hold": Habit("refuses to remove a version under legal hold", True, True, True, True),
    "shadow-visible": Habit("lists a newer version above the first", True, True, True, True),
    "marker-visible": Habit("lists delete markers, which hide no version asked for by id",
                            True, True, True, True),
    "multipart-locked": Habit("locks what is uploaded in parts", True, False, False, False),
    "event-hold": Habit("keeps event holds", True, False, False, False),
    "clock": Habit("tells its time in every answer", True, True, True, True),
    "signature-checked": Habit("refuses a wrong secret key", True, False, True, False),
    "clock-checked": Habit("refuses requests dated 30 minutes off", True, False, True, False),
    "checksum-shown": Habit("shows the SHA-256 that it keeps", True, True, False, True),
    "past-refused": Habit("refuses a lock that ends in the past", True, False, True, False),
    "ranges-of-versions": Habit("sends a part of a version when asked", True, True, True, False),
    "create-behind-marker": Habit("takes a create-only put behind a delete marker",
                                  True, True, True, True),
    "control-characters": Habit("lists names with control characters", True, False, True, False),
}  # fmt: skip
"""By the name of a probe of `logstore.s3.capabilities`, or one of the tests' own."""


def table() -> str:
    """The table of docs/s3.md, in Markdown; what differs from AWS's documentation is bold."""
    lines = [
        "| the server ... | AWS (documented) | Ceph RGW 16.2 | ministack | moto |",
        "|---|---|---|---|---|",
    ]
    for habit in HABITS.values():
        cells = [_word(each, habit.aws) for each in (habit.rgw, habit.ministack, habit.moto)]
        lines.append(f"| {habit.what} | {_word(habit.aws, habit.aws)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _word(does: bool, documented: bool) -> str:
    word = "yes" if does else "no"
    return word if does is documented else f"**{word}**"
