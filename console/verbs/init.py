"""`aircon init`: a store, its key store and its policy, beside each other."""

from __future__ import annotations

import argparse
import contextlib
import re
import secrets
import socket
from typing import TYPE_CHECKING

import msgspec

from console import diagnostics, opening, output, passphrases
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.keys.holders import KekHolder
    from logstore.keys.keystore import KeyStore
    from logstore.s3.capabilities import Capabilities
    from logstore.storage.logfile import Retention
    from logstore.storage.places import Places


def run(args: argparse.Namespace) -> int:
    """Make them, or go on with what an attempt began; nothing else that exists is touched."""
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

    Where it fails before the key store is made, nothing stays. What stopped after that is continued
    by doing the same again.

    Raises:
        UsageError: there is such a log already, or something else lies where it would; or the
            retention is none that a log may have.
        StoreAway: the bucket can not be reached, refuses, or protects nothing.
    """
    from logstore.formats.policy import Policy
    from logstore.storage.beginning import put_policy
    from logstore.storage.log import Log, Options
    from logstore.storage.logfile import check_origin
    from logstore.storage.probed import probed_record

    places = opening.places(args)
    check_origin(origin)
    retention = _retention(args, places)
    capabilities, keys = _begun(args, places, origin)
    with contextlib.closing(keys):
        verifier = keys.signer().verifier()
        put_policy(places.policy, Policy((verifier,)).text())
        _let_write(places, retention)
        options = Options(protect=protect)
        with Log.create(places.store, keys, retention=retention, options=options) as log:
            if capabilities is not None:
                log.append(probed_record(capabilities))
            kept = log.description.retention
        if kept != retention:
            diagnostics.warn(
                f"what was begun before is kept: {kept.index_days} days for the index and"
                f" {kept.body_days} for content"
            )
    return verifier.vkey()


def _begun(
    args: argparse.Namespace, places: Places, origin: str
) -> tuple[Capabilities | None, KeyStore]:
    """What the bucket was found to do, and the key store, where a log may begin."""
    from logstore.storage.beginning import check_place

    is_new = opening.is_new(places)
    try:
        _settle(places, getattr(args, "sse_kms_key", None))
        check_place(places, origin)
        return _probed(places), _keys(args, places, origin)
    except BaseException:
        if is_new:
            opening.drop_if_unused(places)
        raise


def _settle(places: Places, sse_kms_key: str | None) -> None:
    """The home of a bucket, whose new objects are encrypted under that key.

    Raises:
        UsageError: a key for objects was named, and there is no bucket.
    """
    if places.bucket is not None:
        opening.settled(places, sse_kms_key)
    elif sse_kms_key:
        raise UsageError("--sse-kms-key is for a bucket", kept="Nothing was made.")


def _keys(args: argparse.Namespace, places: Places, origin: str) -> KeyStore:
    """The key store: new, or one that an attempt before has made."""
    from logstore.keys.keystore import KeyStore, holder_name

    begun = holder_name(places.keys) is not None
    if begun:
        diagnostics.note(f"Going on with what was begun in {places.keys}.")
    holder = passphrases.holder(args, places.keys) if begun else _holder(args, places, origin)
    return KeyStore.open_or_create(places.keys, holder, origin=origin)


def _holder(args: argparse.Namespace, places: Places, origin: str) -> KekHolder:
    """Who seals the key store: a passphrase, or a key of AWS KMS."""
    if getattr(args, "kms_key", None):
        return passphrases.new_kms_holder(args, origin)
    if getattr(args, "kms_region", None):
        raise UsageError("--kms-region goes with --kms-key")
    return passphrases.new_holder(args, places.keys)


def _let_write(places: Places, retention: Retention) -> None:
    """Let a bucket's home write, in the mode that was asked for.

    Raises:
        UsageError: it was begun in another mode.
    """
    from logstore.disk import Disk
    from logstore.storage.home import make_writer, read_writer

    if places.bucket is None:
        return
    mode, writer = retention.mode or "COMPLIANCE", read_writer(places.store)
    if writer is None:
        make_writer(places.store, secrets.token_hex(8), mode, Disk())
    elif writer.mode != mode:
        raise UsageError(f"this was begun with --mode {writer.mode.lower()}")


def _probed(places: Places) -> Capabilities | None:
    """What the bucket was found to do; None for a directory.

    Raises:
        StoreRefused: it would not protect evidence.
    """
    from logstore.s3.bucket import Bucket
    from logstore.s3.probing import probe_bucket
    from logstore.storage.home import read_remote
    from logstore.storage.probed import check_fit

    remote = read_remote(places.store)
    if remote is None:
        return None
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
