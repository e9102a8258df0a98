"""The row of `aircon witness` in the command table; see `console.commands`."""

from __future__ import annotations

from console.arguments import JSON, PASSPHRASE, STORE, Argument, Command, value

WITNESS = Command(
    "witness",
    "have others cosign that they were all shown one growing log",
    """
A witness is kept by somebody else, for example the auditor, on a machine that the log's owner
cannot write to. It remembers the newest checkpoint it cosigned of every log and signs nothing
that does not extend it. What travels are files (C2SP tlog-witness requests and signed
checkpoints); any witness that speaks that protocol will do.

Whose word counts stands in the policy: add the line that `init` prints, and a quorum. From then
on `aircon verify` says CANNOT JUDGE for records that were signed and not witnessed.

  the auditor, once:   aircon witness init --witness w1 --name auditor.example/w1
  the log's owner:     aircon witness request -o to-w1
  the auditor:         aircon witness cosign to-w1 --witness w1 --policy evidence.policy -o from-w1
  the log's owner:     aircon witness take from-w1

  aircon witness request --by w2 -o to-w2       which witness of the policy, if there are several
  aircon witness request --old 1200 -o again    it says that it saw 1200 records last
  curl --data-binary @to-w3 https://w3.example/add-checkpoint > lines
  aircon witness take lines --request to-w3     bare signature lines, as HTTP witnesses answer""",
    (
        Argument(
            ("action",),
            "init, request, cosign or take",
            {"choices": ("init", "request", "cosign", "take"), "metavar": "ACTION"},
        ),
        Argument(
            ("files",),
            "cosign: the request; take: what came back",
            {"nargs": "*", "metavar": "FILE"},
            "file",
        ),
        value("--output", "-o", metavar="FILE", completes="file", help="the new file"),
        value(
            "--witness",
            metavar="DIR",
            completes="directory",
            help="init, cosign: the witness's own folder",
        ),
        value("--name", metavar="NAME", help="init: its name, a URL without scheme"),
        value("--by", metavar="NAME", help="request: for this witness of the policy"),
        value("--old", metavar="N", type=int, help="request: records that the witness saw last"),
        value(
            "--request",
            metavar="FILE",
            completes="file",
            help="take: the request that bare signature lines answer",
        ),
        *STORE,
        *PASSPHRASE,
        JSON,
    ),
    "Trust it",
    "witness",
)
"""`aircon witness`."""
