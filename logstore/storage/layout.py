"""Names inside a store, the same in a local directory and on S3.

Hive-style, so that query engines read the index objects as one partitioned table.

    store.json                                                 what this is
    log/log=<slug>/log.json                                    origin, key, retention: create-only
    index/log=<slug>/date=<day>/seg-<first>-<count>.parquet    clear columns and leaves
    body/log=<slug>/date=<day>/seg-<first>-<count>.parquet     encrypted blocks
    body/log=<slug>/date=<day>/sup-<lowest>-<16 hex>.parquet   supplement: content re-encrypted
    seal/log=<slug>/seal-<first>-<count>.json                  proof of the segment.sealed record
    claim/log=<slug>/claim-<first>.note                        who publishes a segment (S3 only)
    cosigned/log=<slug>/cp-<size>-<16 hex>.checkpoint          what came back from witnesses
    wal/log=<slug>/<first>.wal                                 unsealed records (local disk only)
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re

from logstore.errors import TamperingFound

STORE_FILE = "store.json"
STORE_FORMAT = "aircon-store/1"

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_LOG_FILE = re.compile(r"log/log=[A-Za-z0-9._-]+/log\.json")
_SEAL = re.compile(r"seal/log=[A-Za-z0-9._-]+/seal-(\d{12})-(\d{1,12})\.json")
_INDEX = re.compile(r"index/log=([A-Za-z0-9._-]+)/date=(\d{4}-\d\d-\d\d)/[^/]+\.parquet")
_CLAIM = re.compile(r"claim/log=[A-Za-z0-9._-]+/claim-(\d{12})\.note")
_COSIGNED = re.compile(r"cosigned/log=[A-Za-z0-9._-]+/cp-(\d{12,19})-[0-9a-f]{16}\.checkpoint")


def slug(origin: str) -> str:
    """A log's origin as one path component."""
    return _UNSAFE.sub("_", origin).strip("._") or "log"


def log_file(origin: str) -> str:
    """Name of a log's description."""
    return f"log/log={slug(origin)}/log.json"


def is_log_file(key: str) -> bool:
    """Whether a name is that of a log's description."""
    return _LOG_FILE.fullmatch(key) is not None


def index_object(origin: str, first: int, count: int, time_us: int) -> str:
    """Name of a segment's index object; `time_us` is when its first record was taken."""
    return f"index/log={slug(origin)}/date={_day(time_us)}/seg-{first:012d}-{count}.parquet"


def index_partition(key: str) -> tuple[str, dt.date]:
    """The log's slug and the day in an index object's name.

    Raises:
        TamperingFound: it is not the name of one.
    """
    found = _INDEX.fullmatch(key)
    with contextlib.suppress(ValueError):
        if found:
            return found[1], dt.date.fromisoformat(found[2])
    raise TamperingFound(f"{key[:200]!r} is not the name of an index object")


def body_object(origin: str, first: int, count: int, time_us: int) -> str:
    """Name of a segment's body object."""
    return f"{body_folder(origin)}date={_day(time_us)}/seg-{first:012d}-{count}.parquet"


def body_folder(origin: str) -> str:
    """What the names of all body objects and supplements of a log begin with."""
    return f"body/log={slug(origin)}/"


def supplement_object(origin: str, first: int, tag: str, time_us: int) -> str:
    """Name of a supplement; `tag` is 16 hex digits, `time_us` is when it was made."""
    return f"{body_folder(origin)}date={_day(time_us)}/sup-{first:012d}-{tag}.parquet"


def supplement_staging(key: str) -> str:
    """Name of the staging folder of the supplement with an object name."""
    return key.rpartition("/")[2].removesuffix(".parquet")


def seal_prefix(origin: str) -> str:
    """Prefix of the names of a log's seals."""
    return f"seal/log={slug(origin)}/"


def seal_object(origin: str, first: int, count: int) -> str:
    """Name of a segment's seal."""
    return f"{seal_prefix(origin)}seal-{first:012d}-{count}.json"


def seal_range(key: str) -> tuple[int, int] | None:
    """(first, count) in a seal's name, or None when it is not one."""
    found = _SEAL.fullmatch(key)
    return (int(found[1]), int(found[2])) if found else None


def claim_prefix(origin: str) -> str:
    """Prefix of the names of a log's claims."""
    return f"claim/log={slug(origin)}/"


def claim_object(origin: str, first: int) -> str:
    """Name of the claim on the segment that starts at a record."""
    return f"{claim_prefix(origin)}claim-{first:012d}.note"


def claim_first(key: str) -> int | None:
    """The record in a claim's name, or None when it is not one."""
    found = _CLAIM.fullmatch(key)
    return int(found[1]) if found else None


def cosigned_prefix(origin: str) -> str:
    """Prefix of the names of a log's cosigned checkpoints."""
    return f"cosigned/log={slug(origin)}/"


def cosigned_object(origin: str, size: int, note: bytes) -> str:
    """Name of a cosigned checkpoint: its bytes are in its name, so each is stored once."""
    tag = hashlib.sha256(note).hexdigest()[:16]
    return f"{cosigned_prefix(origin)}cp-{size:012d}-{tag}.checkpoint"


def cosigned_size(key: str) -> int | None:
    """The size in a cosigned checkpoint's name, or None when it is not one."""
    found = _COSIGNED.fullmatch(key)
    return int(found[1]) if found else None


def wal_directory(origin: str) -> str:
    """Folder of a log's write-ahead files."""
    return f"wal/log={slug(origin)}"


def wal_name(first: int) -> str:
    """File name of the write-ahead file that starts at a record."""
    return f"{first:012d}.wal"


def _day(time_us: int) -> str:
    moment = dt.datetime.fromtimestamp(time_us / 1e6, tz=dt.UTC)
    return moment.strftime("%Y-%m-%d")
