"""`aircon init`: a store, its key store and its policy, beside each other."""

from __future__ import annotations

import argparse
import re
import socket
from pathlib import Path

from console import diagnostics, opening, output, passphrases
from logstore.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Make them; nothing that exists is touched."""
    args.store = args.directory
    args.policy = args.policy or None
    places = opening.places(args)
    origin = args.origin or _usual_origin(places.store)
    made = create(args, origin)
    facts = [
        ("store", str(places.store)),
        ("keys", str(places.keys)),
        ("policy", str(places.policy)),
        ("origin", origin),
        ("verifier key", made),
    ]
    output.facts(facts, as_json=args.json)
    diagnostics.note(
        "The policy says whose signature to believe: give it to auditors and keep a copy where"
        " nobody who can write the store can change it."
    )
    return diagnostics.OK


def create(args: argparse.Namespace, origin: str, *, protect: bool = True) -> str:
    """Make store, key store and policy; returns the verifier key.

    Raises:
        UsageError: one of them exists already.
    """
    from logstore.disk import Disk
    from logstore.formats.policy import Policy
    from logstore.keys.keystore import KeyStore
    from logstore.storage.log import Log, Options
    from logstore.storage.logfile import check_origin

    places = opening.places(args)
    check_origin(origin)
    for path in (places.store / "store.json", places.keys, places.policy):
        if path.exists():
            raise UsageError(
                f"{path} exists already",
                kept="Nothing was changed; a log is never started anew over another.",
                todo="Choose another place, or use what is there.",
            )
    holder = passphrases.new_holder(args, places.keys)
    keys = KeyStore.create(places.keys, holder, origin=origin)
    try:
        verifier = keys.signer().verifier()
        Log.create(places.store, keys, options=Options(protect=protect)).close()
        Disk().create(places.policy, Policy((verifier,)).text().encode(), mode=0o644)
    finally:
        keys.close()
    return verifier.vkey()


def _usual_origin(store: Path) -> str:
    words = [re.sub(r"[^A-Za-z0-9.-]+", "-", each).strip("-.") for each in _host_and_name(store)]
    return "/".join(word or "log" for word in words).lower()


def _host_and_name(store: Path) -> tuple[str, str]:
    return socket.gethostname(), store.name
