"""Where a store lies on S3: a bucket, and a prefix in it.

    s3://BUCKET/PREFIX        s3://evidence/aircon/eu

A *key* is an object's full name in the bucket, a *name* the part of it behind the prefix. Names
that we write are plain: letters, digits and ``. _ = -`` in parts between slashes. Whatever else a
listing shows was put there by somebody else; it is reported, and never fetched by that name.

Bucket names: Amazon S3 user guide, "General purpose bucket naming rules". A key has at most 1,024
bytes of UTF-8 there; ours are ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from logstore.errors import TamperingFound, UsageError

MAX_KEY = 1024
"""Most bytes of a key."""

MAX_PREFIX = 512
"""Most bytes of a prefix, which leaves as many for names."""

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_DOTTED_QUAD = re.compile(r"\d+\.\d+\.\d+\.\d+")
_PART = re.compile(r"[A-Za-z0-9._=-]+")


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket and a prefix.

    Attributes:
        bucket: its name.
        prefix: what every key starts with, without slashes at its ends; empty for the whole bucket.

    Raises:
        UsageError: one of them is not a name that we take.
    """

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not _is_bucket(self.bucket):
            raise UsageError(
                f"{self.bucket!r} is not the name of a bucket",
                todo="A bucket has 3 to 63 lower-case letters, digits, dots and hyphens.",
            )
        if self.prefix and not (is_plain(self.prefix) and len(self.prefix) <= MAX_PREFIX):
            raise UsageError(
                f"{self.prefix!r} is not a prefix that aircon takes",
                todo="Use letters, digits and . _ = - in parts between single slashes.",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``s3://bucket/prefix``; one slash behind the prefix is allowed.

        Raises:
            UsageError: it is not the address of a bucket and prefix.
        """
        if not text.startswith(_SCHEME):
            raise UsageError(
                f"{text!r} is not the address of a bucket", todo="Say it as s3://BUCKET/PREFIX."
            )
        bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
        return cls(bucket, prefix.removesuffix("/"))

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}".removesuffix("/")

    def key(self, name: str) -> str:
        """The key of a name.

        Raises:
            TamperingFound: it is not a name that we give; only forged data has such.
        """
        key = f"{self.beginning}{name}"
        if not is_plain(name) or len(key) > MAX_KEY:
            raise TamperingFound(f"{name[:80]!r} is not the name of an object in a store")
        return key

    @property
    def beginning(self) -> str:
        """What every key starts with, with the slash behind it."""
        return f"{self.prefix}/" if self.prefix else ""


def is_plain(name: str) -> bool:
    """Whether a name is one that we give: safe as a key, as a path and on a terminal."""
    return all(
        _PART.fullmatch(part) is not None and part not in {".", ".."} for part in name.split("/")
    )


def _is_bucket(name: str) -> bool:
    return (
        _BUCKET.fullmatch(name) is not None
        and _DOTTED_QUAD.fullmatch(name) is None
        and not any(pair in name for pair in ("..", ".-", "-."))
    )
