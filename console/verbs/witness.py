"""`aircon witness`: requests to witnesses, cosigning them, and taking the answers in."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console import diagnostics, opening, output, passphrases
from console.exports import create_file
from console.opening import OpenStore
from logstore.errors import CannotJudge, NotFound, TamperingFound, UsageError

if TYPE_CHECKING:
    from logstore.storage.reader import LogReader

_MOST = 2**21
_DASH = "\u2014 ".encode()


def run(args: argparse.Namespace) -> int:
    """Do one of the four actions."""
    doing = {"init": _init, "request": _request, "cosign": _cosign, "take": _take}
    output.facts(doing[args.action](args), as_json=args.json)
    return diagnostics.OK


def _init(args: argparse.Namespace) -> list[tuple[str, object]]:
    from logstore.errors import FormatError
    from logstore.witness.book import WitnessBook

    folder = Path(_needed(args, "witness"))
    name = _needed(args, "name")
    if (folder / "witness.json").exists():
        raise UsageError(f"there is a witness at {folder} already", kept="It was not touched.")
    try:
        book = WitnessBook.create(folder, name, passphrases.new_holder(args, folder))
    except FormatError as error:
        raise UsageError(f"{name!r} can not name a witness: {error.what}") from None
    diagnostics.note(
        "Give the policy line to whoever is to believe this witness. Keep the folder where the"
        " log's owner cannot write, and never put an older copy of it back."
    )
    short = book.verifier.name.rpartition("/")[2]
    return [
        ("witness", str(folder)),
        ("policy line", f"witness {short} {book.verifier.vkey()}"),
    ]


def _request(args: argparse.Namespace) -> list[tuple[str, object]]:
    from logstore.formats.addcheckpoint import AddCheckpoint
    from logstore.storage.treeproofs import consistency

    target = Path(_needed(args, "output"))
    with OpenStore(args, "witness", needs_keys=False) as store:
        reader = store.reader
        old, size = _old(args, reader), reader.size
        if old > size:
            raise TamperingFound(
                f"the witness saw {old} records of {reader.origin}; this store holds {size}",
                kept="Nothing was asked.",
                todo="The log was cut, or an older copy was put in its place: keep a copy of the"
                " store, then run `aircon verify`.",
            )
        if not reader.settle():
            raise CannotJudge(
                "the newest records could not be made sure to be on disk",
                kept="Nothing was asked: a witness never forgets.",
                todo="Run this where the store can be written, or seal first.",
            )
        proof = tuple(consistency(reader, old, size)) if old else ()
        with create_file(target) as file:
            file.write(AddCheckpoint(old, proof, reader.note).encode())
    return [("request", str(target)), ("origin", reader.origin), ("old", old), ("records", size)]


def _old(args: argparse.Namespace, reader: LogReader) -> int:
    """What the witness saw last, as far as the store knows."""
    if args.old is not None:
        if args.old < 0 or args.by:
            raise UsageError("--old is a number of records from 0, and needs no --by")
        return int(args.old)
    names = [witness.name for witness in reader.policy.witnesses]
    if args.by and args.by not in names:
        raise UsageError(f"the policy lists no witness {args.by!r}", todo=_listed(names))
    if not args.by and len(names) > 1:
        raise UsageError("which witness is it for? Say --by NAME", todo=_listed(names))
    wanted = [args.by] if args.by else names
    return max((reader.cosigned.newest_by(name) for name in wanted), default=0)


def _listed(names: list[str]) -> str:
    return f"It lists: {', '.join(names) or 'none'}."


def _cosign(args: argparse.Namespace) -> list[tuple[str, object]]:
    from logstore.formats.checkpoint import peek_checkpoint
    from logstore.witness.book import WitnessBook

    if len(args.files) != 1:
        raise UsageError("`aircon witness cosign` takes one request file")
    folder, target = Path(_needed(args, "witness")), Path(_needed(args, "output"))
    policy = opening.policy(Path(_needed(args, "policy")))
    request = _bytes(args.files[0])
    if target.exists():
        raise UsageError(f"{target} exists already", kept="Nothing was signed.")
    book = WitnessBook(folder)
    holder = passphrases.of_kind(args, book.holder, folder)
    note = book.cosign(request, policy, holder, int(time.time()))
    with create_file(target) as file:
        file.write(note)
    head = peek_checkpoint(note)
    return [
        ("answer", str(target)),
        ("witness", book.verifier.name),
        ("origin", head.origin),
        ("records", head.size),
        ("root", head.root.hex()),
    ]


def _take(args: argparse.Namespace) -> list[tuple[str, object]]:
    if not args.files:
        raise UsageError("`aircon witness take` needs the file that came back")
    request = _bytes(args.request) if args.request else None
    notes = [_whole(_bytes(name), name, request) for name in args.files]
    with OpenStore(args, "witness", needs_keys=False) as store:
        shelf = store.reader.cosigned
        taken = [shelf.add(note) for note in notes]
        witnessed, signed = shelf.witnessed().size, store.reader.checkpoint.size
    names = sorted({name for _, one in taken for name in one.witnesses})
    return [
        ("taken", ", ".join(key for key, _ in taken)),
        ("cosigned by", ", ".join(names)),
        ("records", max(one.checkpoint.size for _, one in taken)),
        ("witnessed to", witnessed),
        ("signed to", signed),
    ]


def _whole(data: bytes, name: str, request: bytes | None) -> bytes:
    """A cosigned checkpoint; bare signature lines are put under what was asked."""
    from logstore.formats.addcheckpoint import parse_add_checkpoint
    from logstore.formats.note import add_signature, parse_signature_lines

    if not data.startswith(_DASH):
        return data
    if request is None:
        raise UsageError(
            f"{name} holds signature lines alone", todo="Give what they answer with --request."
        )
    note = parse_add_checkpoint(request).checkpoint
    for line in parse_signature_lines(data):
        note = add_signature(note, line)
    return note


def _needed(args: argparse.Namespace, name: str) -> str:
    given = getattr(args, name)
    if not given:
        raise UsageError(f"`aircon witness {args.action}` needs --{name}")
    return str(given)


def _bytes(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no file {name}") from None
    if len(data) > _MOST:
        raise UsageError(f"{name} is larger than such a file can be")
    return data
