"""`aircon serve`: the endpoint that applications send their AI interactions to."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console import diagnostics
from console.opening import OpenStore
from console.serving import EventFile, LogOpening
from logstore.errors import AirconError, UsageError

if TYPE_CHECKING:
    from logstore.receiving.eventlog import EventLog
    from logstore.receiving.gate import Gate
    from logstore.receiving.listening import Tls
    from logstore.receiving.serving import Settings


MAX_DECODERS = 64
"""More processes than any machine that one log keeps busy could use."""


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    from logstore.receiving.eventlog import EventLog
    from logstore.receiving.serving import Hooks, serve

    with OpenStore(args, "serve") as store:
        settings = _settings(args, store)
        file = EventFile(Path(args.log_file) if args.log_file else None)
        events = EventLog(file.write, requests=args.log_requests)

        def ready(host: str, port: int) -> None:
            events.event("listening", address=host, port=port, tls=settings.tls is not None)
            scheme = "https" if settings.tls else "http"
            shown = f"[{host}]" if ":" in host else host
            diagnostics.note(
                f"taking records on {scheme}://{shown}:{port} into {store.places.name}"
            )

        gate, look = _gate(args, events)
        opening = LogOpening(store, seal_bytes=args.seal_size * 2**20, on_sealed=events.sealed)
        try:
            _loop(serve(settings, opening, gate, events, Hooks(ready, file.reopen, look)))
        finally:
            opening.close()
            file.close()
    return diagnostics.OK


def _gate(args: argparse.Namespace, events: EventLog) -> tuple[Gate, Callable[[], None]]:
    """Who knows the senders, and what reads changed tokens; a revoked one is refused at once."""
    from logstore.receiving.gate import OpenGate
    from logstore.receiving.tokenfile import TokenBook
    from logstore.receiving.tokengate import TokenGate

    if not args.token_file:
        return OpenGate(), lambda: None
    book = TokenBook(Path(args.token_file))

    def look() -> None:
        if not book.stale():
            return
        try:
            events.event("tokens-reloaded", tokens=book.reload())
        except AirconError as error:
            events.event("tokens-not-reloaded", what=error.what)

    return TokenGate(book), look


def _loop(work: object) -> None:
    if sys.platform == "win32":
        asyncio.run(work)  # type: ignore[arg-type] # uvloop is not there
        return
    import uvloop

    uvloop.run(work)  # type: ignore[arg-type] # a coroutine


def _settings(args: argparse.Namespace, store: OpenStore) -> Settings:
    from dataclasses import replace

    from console.access import operator
    from logstore.receiving.bindings import Guards, check_guards, parse_listen
    from logstore.receiving.limits import MIB, Limits
    from logstore.receiving.serving import Settings

    for name in ("heartbeat", "seal_age", "seal_size", "max_body", "max_pending"):
        if getattr(args, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} must be more than 0")
    if args.decoders is not None and not 0 <= args.decoders <= MAX_DECODERS:
        raise UsageError(f"--decoders must be 0 to {MAX_DECODERS}")
    binding = parse_listen(args.listen)
    check_guards(
        binding,
        Guards(
            certificate=bool(args.tls_cert),
            key=bool(args.tls_key),
            client_ca=bool(args.tls_client_ca),
            tokens=bool(args.token_file),
        ),
    )
    limits = replace(
        Limits(),
        body_bytes=args.max_body * MIB,
        inflated_bytes=min(max(2 * args.max_body, 16), 64) * MIB,
        pending_bytes=args.max_pending * MIB,
        decoders=args.decoders,
    )
    return Settings(
        host=binding.host,
        port=binding.port,
        store=store.places.store,
        by=operator(),
        tls=_tls(args),
        limits=limits,
        heartbeat_s=args.heartbeat,
        seal_age_s=args.seal_age,
        seal_on_stop=args.seal_on_stop,
        stop_file=Path(args.stop_file) if args.stop_file else None,
        fetch_from=tuple(args.fetch_from),
    )


def _tls(args: argparse.Namespace) -> Tls | None:
    from logstore.receiving.listening import Tls

    if not args.tls_cert:
        return None
    authority = Path(args.tls_client_ca) if args.tls_client_ca else None
    return Tls(Path(args.tls_cert), Path(args.tls_key), authority)
