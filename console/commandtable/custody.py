"""Rows of `aircon hold` and `aircon retention` in the command table; see `console.commands`."""

from __future__ import annotations

from console.arguments import JSON, PASSPHRASE, STORE, WIDE, Argument, Command, value

_GROUP = "Keep evidence"
_REASON = value("--reason", help="why: kept in the record's encrypted body")

HOLD = Command(
    "hold",
    "keep records for a legal matter, whatever their retention; list and release holds",
    """
A hold is a record on the log: who, why, which records, when to look at it again. While it is in
force nothing that it covers is removed by `aircon retention`; in a bucket every object of the
segments concerned is put under S3 legal hold as well, now or when it is sealed. A segment is
held whole. `aircon verify` finds objects that are held on the log and not in the bucket.

--records takes 3, 10-20,31 or 100- (from there on, with all that come). --since and --until are
event times; without --until everything that comes is held too. What is imported later about a
period that ended is not. --then keeps what was held for so long after the release: seven years
from the close of a case, say.

Exit code 8: the hold is on the log, but the bucket does not answer or refuses. Whatever writes next
tries again, as far as its credentials allow; finish does it at once, and sets every object anew as
the log says, also where somebody else lifted a hold.

  aircon hold add --reason "case 17" --records 1200-1350
  aircon hold add --reason "case 18" --since 2026-11-01 --then 7y
  aircon hold list
  aircon show 4711 --reason "case 17"     the record says why hold 4711 is there
  aircon hold release 4711 --reason "case 17 is closed"
  aircon hold finish""",
    (
        Argument(
            ("action",),
            "add, list, release or finish",
            {"choices": ("add", "list", "release", "finish"), "metavar": "ACTION"},
        ),
        Argument(
            ("number",),
            "release: the hold, as `aircon hold list` numbers it",
            {"nargs": "?", "metavar": "NUMBER", "type": int},
        ),
        _REASON,
        value("--records", metavar="LIST", help="add: which records, by index"),
        value("--since", metavar="WHEN", help="add: events from here on: 2026-11-20, 2h"),
        value("--until", metavar="WHEN", help="add: likewise; a bare date includes that day"),
        value("--review", metavar="DAY", help="add: when to look whether it is still needed"),
        value("--then", metavar="SPAN", help="add: keep for so long after its release, as 7y"),
        *STORE,
        *PASSPHRASE,
        JSON,
        WIDE,
    ),
    _GROUP,
    "hold",
)
"""`aircon hold`."""

RETENTION = Command(
    "retention",
    "remove content that has outlived its retention, exactly as planned",
    """
plan lists the body objects whose retention has passed and that no hold covers, and gives the
digest of that list; it changes nothing and needs no passphrase. apply removes what the digest
stands for, and refuses when that has changed. The log says before what goes, who wants it and
why, and afterwards what became of it; index objects stay, so everything still verifies, with
"body object absent, retention rule ...". finish goes on where an apply was broken off.

The cutoff is the last midnight UTC, so a digest is good for the day; --before fixes another.

Exit code 8: the store would not let go of some objects; the log says which.

  aircon retention plan
  aircon retention plan --before 2026-11-01 --json
  aircon retention apply 5f2c... --reason "records are thirteen months old"
  aircon retention finish""",
    (
        Argument(
            ("action",),
            "plan, apply or finish",
            {"choices": ("plan", "apply", "finish"), "metavar": "ACTION"},
        ),
        Argument(("digest",), "apply: the digest of the plan", {"nargs": "?", "metavar": "DIGEST"}),
        value("--before", metavar="DAY", help="what had to be kept until before then (today)"),
        _REASON,
        *STORE,
        *PASSPHRASE,
        JSON,
        WIDE,
    ),
    _GROUP,
    "retention",
)
"""`aircon retention`."""
