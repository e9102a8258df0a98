"""The cache of sealed objects: named by their bytes, bounded, and shared without harm."""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from logstore.storage.cache import CACHE_BYTES, VARIABLE, Cache


def put(cache: Cache, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    cache.keep(digest, data)
    return digest


def aged(cache: Cache, digest: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(cache.path(digest), (then, then))


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1000)
    digest = put(cache, b"sealed")
    found = cache.use(digest)
    assert found is not None
    assert found.read_bytes() == b"sealed"
    assert found.stat().st_mode & 0o777 == 0o400
    assert cache.use("00" * 32) is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 250)
    old, older, used = (put(cache, bytes([n]) * 80) for n in range(3))
    aged(cache, old, 200)
    aged(cache, older, 300)
    aged(cache, used, 400)
    assert cache.use(used) is not None
    put(cache, b"x" * 80)
    assert cache.use(older) is None
    assert cache.use(old) is not None
    assert cache.use(used) is not None
    assert cache.size_bytes() <= 250


def test_what_was_used_a_moment_ago_stays_even_over_the_limit(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 100)
    first, second = put(cache, b"a" * 80), put(cache, b"b" * 80)
    assert cache.use(first)
    assert cache.use(second)


def test_a_reader_keeps_what_is_evicted_under_its_eyes(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 100)
    digest = put(cache, b"a" * 80)
    with cache.path(digest).open("rb") as file:
        assert cache.clear() == 80
        assert cache.use(digest) is None
        assert file.read() == b"a" * 80


def test_many_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000)
    texts = [bytes([n % 7]) * 500 for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(lambda data: put(cache, data), texts))
    for digest in set(digests):
        assert hashlib.sha256(cache.path(digest).read_bytes()).hexdigest() == digest
    assert not list(tmp_path.glob(".*.tmp"))


def test_what_an_interrupted_keep_left_goes_too(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 100)
    left = tmp_path / ".0123456789ab.tmp"
    left.write_bytes(b"x" * 90)
    os.utime(left, (0, 0))
    put(cache, b"y" * 50)
    assert not left.exists()


def test_no_name_leads_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        Cache(tmp_path, 1).path("../" + "a" * 61)


def test_its_size_is_the_environments_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "4096")
    assert Cache(tmp_path).limit == 4096
    monkeypatch.setenv(VARIABLE, "much")
    assert Cache(tmp_path).limit == CACHE_BYTES
