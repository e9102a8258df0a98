"""Find out what a server really does: the store attacks throw-away objects of its own.

Everything happens below ``.probe/<random>/`` and under COMPLIANCE locks of a minute: that is the
lock evidence gets, and AWS documents no way to try it that ends sooner. Nothing is believed on an
answer alone: whether a lock was shortened or a version removed is looked up afterwards. What stays
behind is a dozen small versions; the next probing removes them if it may.

A call that the server refuses is an answer; one that it does not answer is none: held is None then.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any

from logstore.errors import AirconError, StoreAway, StoreRefused
from logstore.s3 import failures
from logstore.s3.bucket import Bucket
from logstore.s3.capabilities import MEANINGS, PROBES, Capabilities, Probe, probe
from logstore.s3.client import Answer
from logstore.s3.objects import Lock
from logstore.s3.payloads import refuses_other_bytes
from logstore.s3.versions import Marker, Version

LOCK_S = 60
"""How long a throw-away object is locked, in seconds."""

_IN_TIME_S = 45.0
_NEAR_S = 60.0
_OLD_S = 600
_MOST_SWEPT = 1000
_US = 1_000_000

Finding = tuple[bool | None, str]


def probe_bucket(bucket: Bucket) -> Capabilities:
    """Try everything; takes some forty requests, which is seconds.

    Raises:
        StoreAway: the server can not be asked now.
        StoreRefused: the bucket is not there, or its versions may not be listed.
    """
    sweep(bucket)
    attempts = _Attempts(bucket)
    found = {each.name: each for each in attempts.all()}
    return Capabilities(
        store=str(bucket.address),
        endpoint=bucket.remote.endpoint_url or "",
        probed_us=time.time_ns() // 1000,
        probes=tuple(found[name] for name in MEANINGS),
    )


def sweep(bucket: Bucket) -> int:
    """Remove what earlier probes left; returns how many versions that was.

    Young ones stay: they may be in use by somebody who probes now. So do those that are locked
    still, or that we may not remove.

    Raises:
        StoreAway: the server can not be asked now.
        StoreRefused: the bucket is not there, or its versions may not be listed.
    """
    removed = 0
    old_us = time.time_ns() // 1000 - _OLD_S * _US
    left = list(itertools.islice(bucket.versions(PROBES), _MOST_SWEPT))
    for entry in left:
        if entry.modified_us < old_us:
            with contextlib.suppress(AirconError, OSError):
                bucket.delete_version(entry.name, entry.version_id)
                removed += 1
    return removed


class _Attempts:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._place = f"{PROBES}{secrets.token_hex(8)}/"
        skew = bucket.clock_skew()
        self._skew = skew
        self._begun = time.monotonic()
        # By the server's clock, which is the one that counts.
        self._now_us = time.time_ns() // 1000 + int((skew or 0) * _US)
        self._lock = Lock("COMPLIANCE", self._now_us + LOCK_S * _US)

    def all(self) -> list[Probe]:
        """Every probe, in the order they are made."""
        made = [
            self._try("versioning", self._versioning),
            self._try("object-lock", lambda: self._configuration()[0]),
            self._try("default-retention", lambda: self._configuration()[1]),
            self._try("clock", self._clock),
            self._try("wrong-sha256-refused", lambda: self._damaged("sha256")),
            self._try("wrong-md5-refused", lambda: self._damaged("md5")),
            self._try("other-bytes-refused", self._other_bytes),
            self._try("legal-hold", self._legal_hold),
            self._try("multipart-locked", self._multipart),
            self._try("event-hold", self._event_hold),
        ]
        return made + self._of_one_locked_object()

    def _of_one_locked_object(self) -> list[Probe]:
        name, data = self._name("locked"), b"evidence"
        asked: list[tuple[str, Callable[[str, str], Finding]]] = [
            ("lock-shown", self._lock_shown),
            ("create-only", self._create_only),
            ("shorten-refused", self._shorten),
            ("delete-refused", lambda n, v: self._remove(n, v, bypass=False)),
            ("bypass-refused", lambda n, v: self._remove(n, v, bypass=True)),
            ("shadow-visible", self._shadow),
            ("marker-visible", self._marker),
            ("extend", self._extend),
        ]
        try:
            version_id = str(self._put(name, data, **self._locked).get("VersionId") or "")
        except AirconError as error:
            why = error.what
            return [probe("locked-put", held=False if _is_no(error) else None, detail=why)] + [
                probe(each, held=None, detail="no locked object to try it on") for each, _ in asked
            ]
        made = [probe("locked-put", held=True)]
        for each, attempt in asked:
            made.append(self._try(each, lambda a=attempt: a(name, version_id)))  # type: ignore[misc]
        return made

    # -- one attempt each: whether it held, and what was seen -----------------------------------

    def _versioning(self) -> Finding:
        with failures.told("ask whether the bucket keeps versions"):
            said = self._bucket.client.get_bucket_versioning(Bucket=self._bucket.address.bucket)
        status = said.get("Status")
        return status == "Enabled", str(status or "never switched on")

    def _configuration(self) -> tuple[Finding, Finding]:
        try:
            with failures.told("ask for the bucket's Object Lock"):
                said = self._bucket.client.get_object_lock_configuration(
                    Bucket=self._bucket.address.bucket
                )
        except StoreRefused as error:
            if failures.code_of(error.__cause__ or error) in _NO_LOCK:
                return (False, "not switched on"), (False, "no Object Lock")
            raise
        found = said.get("ObjectLockConfiguration")
        found = found if isinstance(found, dict) else {}
        rule = found.get("Rule")
        default = rule.get("DefaultRetention") if isinstance(rule, dict) else None
        return (found.get("ObjectLockEnabled") == "Enabled", ""), _default(default)

    def _clock(self) -> Finding:
        if self._skew is None:
            return None, "the server does not tell its time"
        way = "ahead of" if self._skew > 0 else "behind"
        near = abs(self._skew) < _NEAR_S
        return near, f"the server's is {abs(self._skew):.0f} s {way} ours"

    def _damaged(self, digest: str) -> Finding:
        name, other = self._name(f"wrong-{digest}"), b"other bytes"
        wrong = {
            "sha256": {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _sha256(other)},
            "md5": {"ContentMD5": _md5(other)},
        }[digest]
        try:
            self._raw_put(name, b"evidence", **wrong)
        except StoreAway as error:
            # Servers say damaged bytes in several ways; that they are not there is what counts.
            stored = bool(self._bucket.history(name))
            return not stored, error.what
        return False, "the server took them"

    def _other_bytes(self) -> Finding:
        return refuses_other_bytes(self._bucket.client, self._bucket.address)

    def _lock_shown(self, name: str, version_id: str) -> Finding:
        shown = self._bucket.head(name, version_id).lock
        if shown is None:
            return False, "no lock is shown"
        return shown.covers(self._lock), f"{shown.mode} until {shown.date:%Y-%m-%d %H:%M:%S} UTC"

    def _create_only(self, name: str, version_id: str) -> Finding:
        try:
            self._raw_put(name, b"a rival", IfNoneMatch="*")
        except StoreRefused as error:
            refused = failures.code_of(error.__cause__ or error) in {"PreconditionFailed", "412"}
            return True if refused else None, error.what
        first = self._bucket.history(name)[0]
        still = "still" if first.version_id == version_id else "no longer"
        return False, f"taken; what was there before is {still} listed as first"

    def _shorten(self, name: str, version_id: str) -> Finding:
        soon = Lock("COMPLIANCE", self._lock.retain_until_us - 30 * _US)
        said = self._refusal("shorten a lock", self._retain, name, version_id, soon)
        shown = self._bucket.head(name, version_id).lock
        return shown is not None and shown.covers(self._lock), said

    def _extend(self, name: str, version_id: str) -> Finding:
        longer = Lock("COMPLIANCE", self._lock.retain_until_us + 10 * _US)
        said = self._refusal("lengthen a lock", self._retain, name, version_id, longer)
        shown = self._bucket.head(name, version_id).lock
        return shown is not None and shown.covers(longer), said

    def _remove(self, name: str, version_id: str, *, bypass: bool) -> Finding:
        try:
            self._bucket.delete_version(name, version_id, bypass=bypass)
            said = "the server said yes"
        except StoreRefused as error:
            said = error.what
        return self._is_there(name, version_id), said

    def _shadow(self, name: str, version_id: str) -> Finding:
        try:
            above = str(self._raw_put(name, b"a shadow").get("VersionId") or "")
        except StoreRefused as error:
            return None, error.what
        ids = [each.version_id for each in self._bucket.history(name)]
        held = ids[:1] == [version_id] and ids[-1:] == [above] and above != version_id
        return held and self._is_there(name, version_id), f"{len(ids)} versions are listed"

    def _marker(self, name: str, version_id: str) -> Finding:
        key = self._bucket.address.key(name)
        try:
            with failures.told("lay a delete marker"):
                self._bucket.client.delete_object(Bucket=self._bucket.address.bucket, Key=key)
        except StoreRefused as error:
            return None, error.what
        entries = [each for each in self._bucket.versions(name) if each.name == name]
        markers = [each for each in entries if isinstance(each, Marker) and each.latest]
        versions = [each for each in entries if isinstance(each, Version)]
        listed = len(markers) == 1 and versions[-1:] and versions[-1].version_id == version_id
        return bool(listed) and self._is_there(name, version_id), ""

    def _legal_hold(self) -> Finding:
        name = self._name("held")
        made = self._put(name, b"evidence", ObjectLockLegalHoldStatus="ON")
        version_id = str(made.get("VersionId") or "")
        shown = self._bucket.head(name, version_id).hold
        kept, said = self._remove(name, version_id, bypass=True)
        with contextlib.suppress(StoreAway, OSError):
            self._bucket.set_legal_hold(name, version_id, on=False)
        return shown and kept, said if shown else "no hold is shown"

    def _multipart(self) -> Finding:
        name = self._name("in-parts")
        version_id = self._upload(name)
        shown = self._bucket.head(name, version_id).lock
        return shown is not None and shown.covers(self._lock), "" if shown else "no lock is shown"

    def _upload(self, name: str) -> str:
        client = self._bucket.client
        where: dict[str, Any] = {
            "Bucket": self._bucket.address.bucket, "Key": self._bucket.address.key(name),
        }  # fmt: skip
        with failures.told("begin an upload in parts"):
            started = client.create_multipart_upload(**where, **self._locked)
        where["UploadId"] = started.get("UploadId")
        try:
            with failures.told("upload in parts"):
                part = client.upload_part(
                    **where, PartNumber=1, Body=b"evidence", ContentMD5=_md5(b"evidence")
                )
                parts = {"Parts": [{"PartNumber": 1, "ETag": part.get("ETag")}]}
                done = client.complete_multipart_upload(**where, MultipartUpload=parts)
        except StoreAway:
            with contextlib.suppress(StoreAway, OSError), failures.told("give up an upload"):
                client.abort_multipart_upload(**where)
            raise
        return str(done.get("VersionId") or "")

    def _event_hold(self) -> Finding:
        name = self._name("event")
        if not _knows(self._bucket.client, "ObjectLockEventHold"):
            return None, "the client library does not know it"
        try:
            made = self._put(name, b"evidence", ObjectLockEventHold="ON")
        except StoreRefused as error:
            return False, error.what
        version_id = str(made.get("VersionId") or "")
        with failures.told(f"look at {name}", of_version=True):
            said = self._bucket.client.head_object(
                Bucket=self._bucket.address.bucket,
                Key=self._bucket.address.key(name),
                VersionId=version_id,
            )
        shown = said.get("ObjectLockEventHold") == "ON"
        kept, why = self._remove(name, version_id, bypass=True)
        return shown and kept, why if shown else "taken, and no hold is shown"

    # -- what they are made of ----------------------------------------------------------------

    def _try(self, name: str, attempt: Callable[[], Finding]) -> Probe:
        try:
            held, detail = attempt()
        except (AirconError, FileNotFoundError) as error:
            held, detail = None, str(error)
        if time.monotonic() - self._begun > _IN_TIME_S:
            held, detail = None, "the server took so long that the lock may have ended"
        return probe(name, held, detail)

    def _name(self, what: str) -> str:
        return self._place + what

    @property
    def _locked(self) -> dict[str, Any]:
        return {"ObjectLockMode": self._lock.mode, "ObjectLockRetainUntilDate": self._lock.date}

    def _put(self, name: str, data: bytes, **more: Any) -> Answer:
        return self._raw_put(
            name, data, ChecksumAlgorithm="SHA256", ChecksumSHA256=_sha256(data),
            ContentMD5=_md5(data), **more,
        )  # fmt: skip

    def _raw_put(self, name: str, data: bytes, **more: Any) -> Answer:
        with failures.told(f"put {name}"):
            return self._bucket.client.put_object(
                Bucket=self._bucket.address.bucket,
                Key=self._bucket.address.key(name),
                Body=data,
                **more,
            )

    def _retain(self, name: str, version_id: str, lock: Lock) -> None:
        self._bucket.client.put_object_retention(
            Bucket=self._bucket.address.bucket,
            Key=self._bucket.address.key(name),
            VersionId=version_id,
            Retention={"Mode": lock.mode, "RetainUntilDate": lock.date},
        )

    def _refusal(self, doing: str, call: Callable[..., None], *given: Any) -> str:
        """Make a call, and tell what came of it."""
        try:
            with failures.told(doing):
                call(*given)
        except StoreAway as error:
            return error.what
        return "the server said yes"

    def _is_there(self, name: str, version_id: str) -> bool:
        try:
            return bool(self._bucket.get(name, version_id, most=2**20).data)
        except FileNotFoundError:
            return False


_NO_LOCK = {"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "404"}


def _is_no(error: AirconError) -> bool:
    return isinstance(error, StoreRefused)


def _default(said: object) -> Finding:
    if not isinstance(said, dict) or not said.get("Mode"):
        return False, "none"
    if said.get("Years"):
        return True, f"{said['Mode']} for {said['Years']} years"
    return True, f"{said['Mode']} for {said.get('Days')} days"


def _knows(client: Any, parameter: str) -> bool:
    shape = client.meta.service_model.operation_model("PutObject").input_shape
    return parameter in shape.members


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode("ascii")
