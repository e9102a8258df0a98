"""`aircon token`: makes, lists and revokes the tokens that applications send records with."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from console import diagnostics, opening, output
from console.columns import Column, moment
from console.expiry import ends_us
from console.opening import OpenStore
from console.output import Shape
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.receiving.tokens import Scope, Token, Wish

USUAL_LIFE = "365d"
"""How long a token is good where nobody says."""

_SOON_US = 14 * 86_400_000_000
_FOR_ADDING = ("source", "scope", "expires", "records_per_second", "bytes_per_second")
_TABLE = (
    Column("name", most=24),
    Column("id"),
    Column("source", most=20),
    Column("scopes", "list"),
    Column("state"),
    Column("expires", most=24),
)
_EXACT = (
    *_TABLE[:5],
    Column("created_us", "int"),
    Column("expires_us", "int"),
    Column("revoked_us", "int"),
    Column("records_per_s", "int"),
    Column("bytes_per_s", "int"),
)


def run(args: argparse.Namespace) -> int:
    """Do one of the three actions."""
    if args.action != "add":
        for option in _FOR_ADDING:
            if getattr(args, option) is not None:
                name = option.replace("_", "-")
                raise UsageError(f"--{name} belongs to `aircon token add`")
    if args.action == "list" and args.name:
        raise UsageError("`aircon token list` takes no name")
    if args.action != "list" and not args.name:
        raise UsageError(f"`aircon token {args.action}` needs a name")
    doing = {"add": _add, "list": _list, "revoke": _revoke}
    doing[args.action](args)
    return diagnostics.OK


def _add(args: argparse.Namespace) -> None:
    from logstore.receiving import tokenfile

    wish = _wish(args)
    path = _file(args)
    with OpenStore(args, "token") as store:
        token, text = tokenfile.add(path, wish, _recording(store, "token.created"))
    if args.json:
        output.record({"token": text, **_exact(token)})
    else:
        output.line(text)
    output.flush()
    end = "never expires" if token.expires_us is None else f"expires {_day(token.expires_us)}"
    diagnostics.note(
        f"token {token.name} (id {token.id}): {' and '.join(token.scopes)}, source"
        f" live/{token.source}, {end}. It is not kept: store it now. {_taken_up(path)}"
    )


def _wish(args: argparse.Namespace) -> Wish:
    from logstore.receiving.buckets import Rate
    from logstore.receiving.tokens import Wish, check_wish

    now_us = _now_us()
    scopes = tuple((args.scope or "write").split(","))
    wish = Wish(
        args.name,
        args.name if args.source is None else args.source,
        cast("tuple[Scope, ...]", scopes),  # looked at by check_wish
        ends_us(USUAL_LIFE if args.expires is None else args.expires, now_us),
        Rate(args.records_per_second, args.bytes_per_second),
    )
    check_wish(wish, now_us)
    return wish


def _revoke(args: argparse.Namespace) -> None:
    from logstore.receiving import tokenfile

    path = _file(args)
    with OpenStore(args, "token") as store:
        token = tokenfile.revoke(path, args.name, _recording(store, "token.revoked"))
    output.facts(
        [("revoked", token.name), ("id", token.id), ("source", token.source)], as_json=args.json
    )
    diagnostics.note(_taken_up(path))


def _list(args: argparse.Namespace) -> None:
    from logstore.receiving import tokenfile

    now_us = _now_us()
    tokens = tokenfile.load(_file(args))
    columns = _EXACT if args.json else _TABLE
    rows = [_row(token, now_us, columns) for token in tokens]
    output.rows(columns, rows, Shape("json" if args.json else "table"))
    for token in tokens:
        end = token.expires_us
        if token.standing(now_us) == "ok" and end is not None and end - now_us < _SOON_US:
            diagnostics.warn(f"token {token.name} expires {_day(end)}")


def _row(token: Token, now_us: int, columns: tuple[Column, ...]) -> list[object]:
    expires = "never" if token.expires_us is None else _day(token.expires_us)
    standing = token.standing(now_us)
    said = {"state": "good" if standing == "ok" else standing, "expires": expires}
    facts = _exact(token) | said
    return [facts[column.name] for column in columns]


def _exact(token: Token) -> dict[str, object]:
    names = ("name", "id", "source", "scopes", "created_us", "expires_us", "revoked_us")
    return {name: getattr(token, name) for name in (*names, "records_per_s", "bytes_per_s")}


def _recording(store: OpenStore, kind: str) -> Callable[[Token], None]:
    """Puts a token on the log; asks for the passphrase before anything is locked."""
    recorder = store.recorder
    assert recorder is not None

    def tell(token: Token) -> None:
        # A name is chosen by people and may be a person's: it stands in the encrypted body.
        clear = {
            "token_id": token.id,
            "token_source": token.source,
            "scopes": list(token.scopes),
            "expires_us": token.expires_us,
            "records_per_s": token.records_per_s,
            "bytes_per_s": token.bytes_per_s,
        }
        given = {name: fact for name, fact in clear.items() if fact is not None}
        recorder.record(kind, given, {"name": token.name})

    return tell


def _file(args: argparse.Namespace) -> Path:
    return Path(args.token_file) if args.token_file else opening.places(args).tokens


def _taken_up(path: Path) -> str:
    return (
        f"A running `aircon serve --token-file {path}` takes it up in seconds, at once on SIGHUP."
    )


def _day(time_us: int) -> str:
    return moment(time_us)[:16] + "Z"


def _now_us() -> int:
    return time.time_ns() // 1000
