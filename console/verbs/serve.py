"""`aircon serve`: the endpoint that applications send their AI interactions to."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console import diagnostics
from console.opening import OpenStore
from console.serving import EventFile, LogOpening, listen_on
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.receiving.serving import Settings, Tls


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    from logstore.receiving.eventlog import EventLog
    from logstore.receiving.gate import OpenGate
    from logstore.receiving.serving import serve

    with OpenStore(args, "serve") as store:
        settings = _settings(args, store)
        file = EventFile(Path(args.log_file) if args.log_file else None)
        events = EventLog(file.write, requests=args.log_requests)

        def ready(host: str, port: int) -> None:
            events.event("listening", address=host, port=port, tls=settings.tls is not None)
            scheme = "https" if settings.tls else "http"
            shown = f"[{host}]" if ":" in host else host
            diagnostics.note(
                f"taking records on {scheme}://{shown}:{port} into {store.places.store}"
            )

        opening = LogOpening(store, seal_bytes=args.seal_size * 2**20)
        try:
            _loop(
                serve(
                    settings,
                    opening,
                    OpenGate(),
                    events,
                    on_ready=ready,
                    on_hangup=file.reopen,
                )
            )
        finally:
            opening.close()
            file.close()
    return diagnostics.OK


def _loop(work: object) -> None:
    if sys.platform == "win32":
        asyncio.run(work)  # type: ignore[arg-type] # uvloop is not there
        return
    import uvloop

    uvloop.run(work)  # type: ignore[arg-type] # a coroutine


def _settings(args: argparse.Namespace, store: OpenStore) -> Settings:
    from dataclasses import replace

    from console.access import operator
    from logstore.receiving.limits import MIB, Limits
    from logstore.receiving.serving import Settings

    for name in ("heartbeat", "seal_age", "seal_size", "max_body", "max_pending"):
        if getattr(args, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} must be more than 0")
    host, port = listen_on(args.listen)
    limits = replace(
        Limits(),
        body_bytes=args.max_body * MIB,
        inflated_bytes=min(max(2 * args.max_body, 16), 64) * MIB,
        pending_bytes=args.max_pending * MIB,
    )
    return Settings(
        host=host,
        port=port,
        store=store.places.store,
        by=operator(),
        tls=_tls(args),
        limits=limits,
        heartbeat_s=args.heartbeat,
        seal_age_s=args.seal_age,
        seal_on_stop=args.seal_on_stop,
        stop_file=Path(args.stop_file) if args.stop_file else None,
    )


def _tls(args: argparse.Namespace) -> Tls | None:
    from logstore.receiving.serving import Tls

    if not args.tls_cert and not args.tls_key and not args.tls_client_ca:
        return None
    if not args.tls_cert or not args.tls_key:
        raise UsageError("HTTPS needs both --tls-cert and --tls-key")
    authority = Path(args.tls_client_ca) if args.tls_client_ca else None
    return Tls(Path(args.tls_cert), Path(args.tls_key), authority)
