"""`aircon check`: checks a proof file offline, without any store."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console import diagnostics, opening, output
from console.output import Painted, Style
from logstore.errors import FormatError, NotFound, UsageError

if TYPE_CHECKING:
    from logstore.formats.policy import Policy
    from logstore.verify.proving import CheckResult

_MAX_PROOF = 2**20
_MAX_DISCLOSURE = 2**27
_WORDS: dict[int, tuple[str, str, Style]] = {
    diagnostics.OK: ("proven", "PROVEN", "green"),
    diagnostics.TAMPERING: ("false", "NOT TRUE", "red"),
    diagnostics.CANNOT_JUDGE: ("cannot-judge", "CANNOT JUDGE", "yellow"),
}


def run(args: argparse.Namespace) -> int:
    """Check; the exit code is the answer."""
    from logstore.verify.proving import check

    policy = _policy(args)
    proof = _bytes(args.file, _MAX_PROOF)
    disclosure = _bytes(args.disclosure, _MAX_DISCLOSURE) if args.disclosure else None
    result = check(proof, policy, disclosure=disclosure)
    if args.json:
        output.record(_object(result))
    else:
        _say(result)
    return result.exit_code


def _policy(args: argparse.Namespace) -> Policy:
    from logstore.formats.note import parse_vkey
    from logstore.formats.policy import Policy

    if bool(args.policy) == bool(args.vkey):
        raise UsageError(
            "whom to trust must be said, once: --policy FILE or --vkey KEY",
            todo="Take it from where you trust, not from whoever gave you the proof.",
        )
    if args.policy:
        return opening.policy(Path(args.policy))
    try:
        return Policy((parse_vkey(args.vkey),))
    except FormatError as error:
        raise UsageError(f"--vkey is not a verifier key: {error.what}") from None


def _bytes(name: str, most: int) -> bytes:
    try:
        with Path(name).open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {name}") from None
    if len(data) > most:
        raise UsageError(f"{name} is larger than such a file can be")
    return data


def _object(result: CheckResult) -> dict[str, Any]:
    import msgspec

    checkpoint, body = result.checkpoint, result.body
    made: dict[str, Any] = {
        "verdict": _WORDS[result.exit_code][0],
        "exit_code": result.exit_code,
        "problem": result.problem,
        "proven": result.proven,
        "not_proven": result.not_proven,
        "record": None if result.leaf is None else msgspec.to_builtins(result.leaf),
        "checkpoint": None,
        "witnessed": result.witnessed,
        "content": None,
    }
    if checkpoint is not None:
        made["checkpoint"] = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root,
        }
    if body is not None:
        made["content"] = {
            "format": body.format,
            "subjects": body.subjects,
            "raw": base64.b64encode(body.raw).decode(),
            "note": body.note,
        }
    return made


def _say(result: CheckResult) -> None:
    _, words, style = _WORDS[result.exit_code]
    output.line(Painted(words, style), f": {result.problem}" if result.problem else "")
    for each in result.proven:
        output.line("  ", each)
    if result.leaf is not None:
        facts = [("id", result.leaf.id), ("kind", result.leaf.kind), *result.leaf.clear.items()]
        output.line(Painted("Record", "bold"))
        output.facts([(f"  {name}", each) for name, each in facts], as_json=False)
    if result.body is not None:
        output.line(Painted("Content", "bold"))
        output.line(result.body.raw.decode("utf-8", "backslashreplace"))
    output.line(Painted("Not proven", "bold"))
    for each in result.not_proven:
        output.line("  ", each)
