"""A server that answers listings with whatever it likes: an error that names it, and no verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_s3 import Reply, Request, fake_s3
from support.stores import TestStore

from console.__main__ import main

pytestmark = pytest.mark.usefixtures("s3_credentials")
NOON = "2026-11-25T12:00:00.000Z"


def listing(
    *keys: str,
    size: object = 1,
    date: str = NOON,
    version: str = "v",
    more: str = "",
    dtd: str = "",
) -> Reply:
    entries = "".join(
        f"<Version><Key>{key}</Key><VersionId>{version}</VersionId><IsLatest>true</IsLatest>"
        f"<LastModified>{date}</LastModified><ETag>x</ETag><Size>{size}</Size></Version>"
        for key in keys
    )
    return Reply(
        200,
        f"<?xml version='1.0'?>{dtd}<ListVersionsResult><Name>evidence</Name>"
        f"<Prefix>logs/</Prefix><EncodingType>url</EncodingType>{more}{entries}"
        "</ListVersionsResult>".encode("utf-8", "surrogatepass"),
    )


def bomb(levels: int, width: int) -> str:
    """Entities of entities: a few hundred bytes that would become gigabytes."""
    made = "<!ENTITY e0 'xxxxxxxxxx'>"
    for level in range(1, levels):
        made += f"<!ENTITY e{level} '{f'&e{level - 1};' * width}'>"
    return f"<!DOCTYPE x [{made}]>"


CIRCLE = "<IsTruncated>true</IsTruncated><NextKeyMarker>logs/a</NextKeyMarker>"
ANSWERS = {
    "the same place again": listing("logs/a", more=CIRCLE),
    "a page behind": listing("logs/b", more=CIRCLE.replace("logs/a", "logs/")),
    "no place to go on from": listing("logs/a", more="<IsTruncated>true</IsTruncated>"),
    "a huge key": listing("logs/" + "k" * 2000),
    "a huge version id": listing("logs/a", version="v" * 2000),
    "a key elsewhere": listing("other/a"),
    "a key above": listing("../logs/a"),
    "no key": listing(""),
    "raw controls": listing("logs/a\x1b[2J"),
    "a half of a character": listing("logs/\ud800"),
    "half an answer": Reply(200, listing("logs/a").body[:150]),
    "no answer": Reply(200, b""),
    "a web page": Reply(200, b"<html><body>Welcome to the hotel's network</body></html>"),
    "json": Reply(200, b'{"Versions": []}'),
    "bytes": Reply(200, bytes(range(256))),
    "another bucket": Reply(200, listing("logs/a").body.replace(b">evidence<", b">other<")),
    "a bomb": listing("logs/&e29;", dtd=bomb(30, 10)),
    "a wide bomb": listing("logs/" + "&e1;" * 100_000, dtd=bomb(2, 5_000)),
    "a file of this machine": listing(
        "logs/&e;", dtd="<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>"
    ),
    "no date": listing("logs/a", date="yesterday"),
    "an impossible date": listing("logs/a", date="2026-13-45T99:99:99Z"),
    "a date before all": listing("logs/a", date="0000-00-00T00:00:00Z"),
    "a date without end": listing("logs/a", date="1e400"),
    "a negative size": listing("logs/a", size=-1),
    "a size in words": listing("logs/a", size="many"),
    "a size without end": listing("logs/a", size="9" * 5000),
}


@pytest.fixture
def verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Callable[[str], tuple[int, bytes]]:
    """`aircon verify` of a bucket at an endpoint: its exit code, and all that it said."""
    policy = tmp_path / "evidence.policy"
    TestStore(tmp_path).create().close()
    (log,) = TestStore(tmp_path).policy().logs
    policy.write_text(f"log {log.vkey()}\nquorum none\n")
    monkeypatch.setenv("AIRCON_HOME", str(tmp_path / "home"))

    def run(endpoint: str) -> tuple[int, bytes]:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        code = main(["verify", "s3://evidence/logs", "--policy", str(policy)])
        said = capfdbinary.readouterr()
        return code, said.out + said.err

    return run


@pytest.mark.parametrize("what", ANSWERS)
def test_nothing_is_judged_by_what_makes_no_sense(
    verify: Callable[[str], tuple[int, bytes]], what: str
) -> None:
    began = time.monotonic()
    with fake_s3(lambda _: ANSWERS[what]) as (endpoint, seen):
        code, said = verify(endpoint)
    assert code == 8, said
    assert b"Traceback" not in said
    assert b"\x1b" not in said
    assert len(seen) <= 4
    assert time.monotonic() - began < 30


def test_pages_without_anything_are_not_followed_for_ever(
    verify: Callable[[str], tuple[int, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logstore.s3.versions.MOST_ENTRIES", 2_000_000)
    number = iter(range(10**9))

    def endless(_: Request) -> Reply:
        place = f"<NextKeyMarker>logs/{next(number):09d}</NextKeyMarker>"
        return listing(more=f"<IsTruncated>true</IsTruncated>{place}")

    with fake_s3(endless) as (endpoint, seen):
        code, said = verify(endpoint)
    assert code == 8
    assert b"more objects than" in said
    assert len(seen) <= 101


def test_depth_that_nobody_asked_for_is_passed_over(
    verify: Callable[[str], tuple[int, bytes]],
) -> None:
    deep = listing("logs/stray", more="<a>" * 100_000 + "</a>" * 100_000)
    with fake_s3(lambda request: _only_listings(request, deep)) as (endpoint, _):
        code, said = verify(endpoint)
    assert code == 1
    assert b"extra-file: stray" in said


def test_names_that_would_take_over_a_terminal_are_told_in_plain_letters(
    verify: Callable[[str], tuple[int, bytes]],
) -> None:
    keys = ["logs/a%1B]0;owned%07", "logs/b%0D%0Aok", "logs/c%E2%80%AEexe", "logs/d%9B31m"]
    with fake_s3(lambda request: _only_listings(request, listing(*keys))) as (endpoint, _):
        code, said = verify(endpoint)
    assert code == 1
    assert said.count(b"extra-file") == len(keys)
    assert not {b"\x1b", b"\x07", b"\r"} & {bytes([byte]) for byte in said}
    assert "\u202e".encode() not in said


def _only_listings(request: Request, page: Reply) -> Reply:
    return page if "versions" in request.query else Reply(404)
