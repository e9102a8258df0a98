"""What `aircon doctor` looks at where the store is in a bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from console.doctorcheck import Check, State
from logstore.errors import AirconError
from logstore.formats.pins import ObjectSpan

if TYPE_CHECKING:
    from logstore.formats.custody import Custody
    from logstore.s3.bucket import BucketReader
    from logstore.s3.capabilities import Capabilities
    from logstore.s3.remote import Remote
    from logstore.storage.reader import LogReader

_THREADS = 16
_SKEWED_S = 60
_AS_SEALED = "locked COMPLIANCE as long as sealed"
_AND_HELD = f"{_AS_SEALED}, and held"
_UNASKED = "under legal hold, which no record asks for"


def checks(remote: Remote) -> Iterator[Check]:
    """The bucket itself, without writing to it."""
    from logstore.s3.bucket import BucketReader

    bucket = BucketReader(remote)
    yield Check("bucket", "ok", f"{remote.address} at {remote.endpoint_url or 'Amazon S3'}")
    try:
        yield _switched_on("versioning", bucket.versioned())
        yield _switched_on("object lock", bucket.lockable())
        yield _clock(bucket)
    except AirconError as error:
        yield Check("bucket", "bad", " ".join(filter(None, (error.what + ".", error.todo))))


def _switched_on(name: str, on: bool | None) -> Check:
    if on is None:
        return Check(name, "warn", "may not be looked at with these credentials")
    return Check(name, "ok" if on else "bad", "on" if on else "off: nothing is protected")


def _clock(bucket: BucketReader) -> Check:
    skew = bucket.clock_skew()
    if skew is None:
        return Check("server clock", "warn", "the server does not tell its time")
    said = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    return Check("server clock", "ok" if abs(skew) < _SKEWED_S else "bad", said)


def probed(found: Capabilities) -> Iterator[Check]:
    """What an attack on throw-away objects showed, one check each, and what follows from all."""
    from logstore.s3.capabilities import judge

    verdict = judge(found)
    for each in found.probes:
        holds = {True: "holds", False: "does NOT hold", None: "could not be found out"}[each.held]
        said = f"{holds}: {each.means}" + (f" Seen: {each.detail}" if each.detail else "")
        state: State = "ok" if each.held else "bad" if each.name in verdict.missing else "warn"
        yield Check(f"probe {each.name}", state, said)
    yield from (Check("bucket", "warn", remark) for remark in verdict.remarks)
    if verdict.fit:
        yield Check("bucket", "ok", "it protects evidence")
    else:
        yield Check("bucket", "bad", f"evidence is not safe there: {', '.join(verdict.missing)}")


def locks(reader: LogReader, remote: Remote) -> Iterator[Check]:
    """How every sealed object is really locked, by asking for each."""
    from logstore.s3.bucket import BucketReader

    custody = reader.custody_of_objects()
    indexes = [ObjectSpan(pin.index, pin.first, pin.end) for pin in reader.pins]
    bodies = [each for each in reader.bodies() if each.pin.key not in custody.gone]
    if not indexes:
        yield Check("sealed objects", "ok", "none yet")
        return
    bucket = BucketReader(remote)
    try:
        with ThreadPoolExecutor(_THREADS, "aircon-doctor") as pool:
            shown = Counter(pool.map(lambda one: _lock(bucket, one, custody), indexes + bodies))
    except AirconError as error:
        yield Check("sealed objects", "warn", f"their locks could not be read: {error.what}")
        return
    said = ", ".join(f"{count:,} {what}" for what, count in shown.most_common())
    yield Check("sealed objects", "ok" if shown.keys() <= {_AS_SEALED, _AND_HELD} else "warn", said)


def _lock(bucket: BucketReader, one: ObjectSpan, custody: Custody) -> str:
    """How one object is protected, in words that are the same for all that are so."""
    pin, due = one.pin, custody.holding(one.first, one.end) is not None
    try:
        version = pin.version or bucket.history(pin.key)[0].version_id
        head = bucket.head(pin.key, version)
    except (FileNotFoundError, IndexError):
        return "gone"
    if head.hold is not due:
        return _UNASKED if head.hold else "not under the legal hold that the log asks for"
    if head.lock is None:
        return "not locked, as far as is shown"
    if head.lock.retain_until_us < max(pin.retain_until_us, custody.keep_until(one.first, one.end)):
        return f"locked {head.lock.mode} for less long than sealed"
    return f"locked {head.lock.mode} as long as sealed" + (", and held" if due else "")
