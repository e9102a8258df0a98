"""Rows of the command table: verifying and proving; see `console.commands`."""

from __future__ import annotations

from console.arguments import (
    JSON,
    PASSPHRASE,
    REASON,
    STORE,
    Argument,
    Command,
    flag,
    value,
)
from console.commandtable.asking import RECORD
from console.commandtable.witness import WITNESS

_GROUP = "Trust it"
_OPEN = (*STORE, *PASSPHRASE)

TRUSTING: tuple[Command, ...] = (
    Command(
        "verify",
        "check every file, hash, signature and column against the policy",
        """
Exit code 0: verified to the policy. 1: tampering found; the report names file and index.
2: cannot judge, for example because nothing is signed by a key of the policy, or because
records are signed and not witnessed though the policy asks for a quorum (--witnessed leaves
those out of the verdict). The report also says what no verification can prove.
--quick checks whole-file hashes, seals and signatures, and leaves the recomputation of every
leaf and column out.
--content needs the passphrase and checks contents against their commitments as well.
--engine spark checks segments on an Apache Spark cluster where aircon is installed and the
store can be reached, with the same findings; keys are never sent there (docs/lake.md).

  aircon verify
  aircon verify --quick --json
  aircon verify --content --passphrase-file secret.txt
  aircon verify s3://evidence/aircon --policy evidence.policy
  aircon verify s3://evidence/aircon --engine spark --spark-master spark://head:7077""",
        (
            Argument(
                ("place",),
                "the store; else --store",
                {"nargs": "?", "metavar": "STORE"},
                "directory",
            ),
            flag("--quick", help="whole files and signatures only"),
            flag("--witnessed", help="claim only what the policy's quorum of witnesses cosigned"),
            flag("--content", help="also open every content and check its commitment"),
            value("--workers", metavar="N", type=int, help="processes (default: one per core)"),
            value(
                "--engine", choices=("processes", "spark"), default="processes",
                help="what checks the segments (processes of this machine)",
            ),
            value(
                "--spark-master", metavar="URL",
                help="the cluster (what Spark is set up with, as under spark-submit)",
            ),
            *_OPEN,
            JSON,
        ),
        _GROUP,
        "verify",
    ),
    Command(
        "prove",
        "write a proof that one record is in the log, for a stranger to check",
        """
The file is a C2SP tlog-proof that carries the record's clear part and its path to a signed
checkpoint; making it opens no content and needs no passphrase. --disclose FILE also writes the
content with its nonce, so that it can be checked without any key: of this one record, and
whoever gets that file can read it.

  aircon prove 1234 -o record-1234.tlog-proof
  aircon prove 1234 -o r.tlog-proof --disclose r.content --reason "court order 5" """,
        (
            RECORD,
            value(
                "--output", "-o", metavar="FILE", completes="file", required=True,
                help="the new proof file",
            ),
            value(
                "--disclose", metavar="FILE", completes="file",
                help="also write the content here (needs the passphrase; is recorded)",
            ),
            *_OPEN,
            REASON,
            JSON,
        ),
        _GROUP,
        "prove",
    ),
    Command(
        "check",
        "check a proof file offline, without any store",
        """
Needs only the proof and whom to trust: a policy file or a verifier key, which must come
from somewhere you trust, not from whoever gave you the proof.
Exit code 0: the record is in the log that the policy names. 1: it is not, or the file was
altered. 2: the proof is signed by nobody whom the policy knows.

  aircon check r.tlog-proof --policy evidence.policy
  aircon check r.tlog-proof --disclosure r.content --policy evidence.policy
  aircon check r.tlog-proof --vkey "example.org/chat+1a2b3c4d+AbCd..." --json""",
        (
            Argument(("file",), "the proof file", {"metavar": "FILE"}, "file"),
            STORE[2],
            value("--vkey", metavar="KEY", help="a verifier key instead of a policy"),
            value(
                "--disclosure", metavar="FILE", completes="file",
                help="content that was disclosed with the proof",
            ),
            JSON,
        ),
        _GROUP,
        "check",
    ),
    WITNESS,
    Command(
        "doctor",
        "say which protections are really in force on this machine",
        """
Checks immutability of sealed files, how the key store is protected, encryption of the
working copy, the token file, whether the policy's witnesses have cosigned, the file system,
clock, package versions and import names. Nothing is repaired silently.

Of a store in a bucket it says how every object is really locked. --attack tries, on throw-away
objects below .probe/, what an intruder would: overwriting, deleting, shortening locks, wrong
checksums; it needs the writer's rights and the passphrase, and is recorded on the log.

  aircon doctor
  aircon doctor --attack --store s3://evidence/aircon
  aircon doctor --json | jq 'select(.state != "ok")'""",
        (
            value(
                "--token-file",
                metavar="FILE",
                completes="file",
                help="the token file; else STORE.tokens beside the store",
            ),
            flag("--attack", help="attack throw-away objects in the bucket, and say what held"),
            *STORE,
            *PASSPHRASE,
            JSON,
        ),
        _GROUP,
        "doctor",
    ),
)  # fmt: skip
"""Rows of the commands that verify and prove."""
