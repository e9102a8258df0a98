"""`aircon init`: a store, its key store and its policy, beside each other."""

from __future__ import annotations

import argparse
import re
import secrets
import socket
from typing import TYPE_CHECKING

import msgspec

from console import diagnostics, opening, output, passphrases
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.keys.holders import KekHolder
    from logstore.s3.capabilities import Capabilities
    from logstore.storage.logfile import Retention
    from logstore.storage.places import Places


def run(args: argparse.Namespace) -> int:
    """Make them; nothing that exists is touched."""
    args.store = args.directory
    args.policy = args.policy or None
    places = opening.places(args)
    origin = args.origin or _usual_origin(places)
    made = create(args, origin)
    facts = [
        ("store", places.name),
        *([("home", str(places.store))] if places.bucket else []),
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
        UsageError: one of them exists already, or the retention is none that a log may have.
        StoreAway: the bucket can not be reached, refuses, or protects nothing.
    """
    from logstore.disk import Disk
    from logstore.formats.policy import Policy
    from logstore.keys.keystore import KeyStore
    from logstore.storage.home import make_writer
    from logstore.storage.log import Log, Options
    from logstore.storage.logfile import check_origin
    from logstore.storage.probed import probed_record

    places = opening.places(args)
    check_origin(origin)
    retention = _retention(args, places)
    for path in (places.store / "store.json", places.store / "writer.json", places.keys,
                 places.policy):  # fmt: skip
        if path.exists():
            raise UsageError(
                f"{path} exists already",
                kept="Nothing was changed; a log is never started anew over another.",
                todo="Choose another place, or use what is there.",
            )
    capabilities = _probed(places, getattr(args, "sse_kms_key", None))
    holder = _holder(args, places, origin)
    keys = KeyStore.create(places.keys, holder, origin=origin)
    try:
        verifier = keys.signer().verifier()
        if places.bucket is not None:
            make_writer(places.store, secrets.token_hex(8), retention.mode or "COMPLIANCE", Disk())
        options = Options(protect=protect)
        with Log.create(places.store, keys, retention=retention, options=options) as log:
            if capabilities is not None:
                log.append(probed_record(capabilities))
        Disk().create(places.policy, Policy((verifier,)).text().encode(), mode=0o644)
    finally:
        keys.close()
    return verifier.vkey()


def _holder(args: argparse.Namespace, places: Places, origin: str) -> KekHolder:
    """Who seals the key store: a passphrase, or a key of AWS KMS."""
    if getattr(args, "kms_key", None):
        return passphrases.new_kms_holder(args, origin)
    if getattr(args, "kms_region", None):
        raise UsageError("--kms-region goes with --kms-key")
    return passphrases.new_holder(args, places.keys)


def _probed(places: Places, sse_kms_key: str | None) -> Capabilities | None:
    """What the bucket was found to do, with objects under that key; None for a directory.

    Raises:
        UsageError: a key for objects was named, and there is no bucket.
        StoreRefused: it would not protect evidence.
    """
    if places.bucket is None:
        if sse_kms_key:
            raise UsageError("--sse-kms-key is for a bucket", kept="Nothing was made.")
        return None
    from logstore.s3.bucket import Bucket
    from logstore.s3.probing import probe_bucket
    from logstore.storage.home import read_remote
    from logstore.storage.probed import check_fit

    remote = read_remote(opening.settled(places, sse_kms_key).store)
    assert remote is not None
    diagnostics.note(f"Attacking throw-away objects in {places.name} to see what it protects ...")
    return check_fit(probe_bucket(Bucket(remote)))


def _retention(args: argparse.Namespace, places: Places) -> Retention:
    from console.durations import days
    from logstore.storage.logfile import Retention, check_retention

    mode = getattr(args, "mode", None)
    if mode and places.bucket is None:
        raise UsageError(
            "--mode is for a bucket; what a directory protects, `aircon doctor` says",
            kept="Nothing was made.",
        )
    kept = Retention(
        days(getattr(args, "retain_index", "3653d"), "--retain-index"),
        days(getattr(args, "retain_body", "396d"), "--retain-body"),
    )
    if places.bucket is not None:
        kept = msgspec.structs.replace(kept, mode=(mode or "compliance").upper())
    return check_retention(kept, short=bool(getattr(args, "short_retention", False)))


def _usual_origin(places: Places) -> str:
    name = places.store.name if places.bucket is None else places.bucket.bucket
    words = [re.sub(r"[^A-Za-z0-9.-]+", "-", each).strip("-.") for each in (_host(), name)]
    return "/".join(word or "log" for word in words).lower()


def _host() -> str:
    return socket.gethostname()
