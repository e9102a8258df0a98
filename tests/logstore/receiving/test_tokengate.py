"""The gate: from a request's headers to a sender with its own limits, or to a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from logstore.receiving import tokenfile
from logstore.receiving.buckets import Rate
from logstore.receiving.refusals import ComeBack, NotAdmitted
from logstore.receiving.tokenfile import TokenBook
from logstore.receiving.tokengate import TokenGate
from logstore.receiving.tokens import Token, Wish


class Clock:
    """Stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def untold(_token: Token) -> None:
    """Tells nobody."""


def bearer(text: str) -> Headers:
    return Headers({"authorization": f"Bearer {text}"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def test_a_sender_is_known_by_its_token(path: Path) -> None:
    _, text = tokenfile.add(path, Wish("gateway-1", "gateway"), untold)
    sender = TokenGate(TokenBook(path)).admit(bearer(text), "write")
    assert (sender.name, sender.source) == ("gateway-1", "gateway")
    sender.charge(records=10**9, size=10**9)


def test_who_is_not_known_is_told_only_that(path: Path) -> None:
    _, text = tokenfile.add(path, Wish("gateway-1", "gateway"), untold)
    gate = TokenGate(TokenBook(path))
    twice = Headers(raw=[(b"authorization", f"Bearer {text}".encode())] * 2)
    for headers in (Headers(), bearer("nothing"), bearer(text[:-1]), twice):
        with pytest.raises(NotAdmitted) as caught:
            gate.admit(headers, "write")
        assert (caught.value.status, caught.value.slug) == (401, "no-token")
        assert "gateway" not in caught.value.message
    with pytest.raises(NotAdmitted) as caught:
        gate.admit(bearer(text), "metrics")
    assert (caught.value.status, caught.value.slug) == (403, "lacks-scope")


def test_an_expired_token_is_not_admitted(path: Path) -> None:
    now = tokenfile._now_us()
    wish = Wish("short", "short", expires_us=now + 60_000_000)
    _, text = tokenfile.add(path, wish, untold)
    book = TokenBook(path)
    assert TokenGate(book).admit(bearer(text), "write").name == "short"
    with pytest.raises(NotAdmitted):
        TokenGate(book, now_us=lambda: now + 60_000_000).admit(bearer(text), "write")


def test_all_requests_of_a_token_share_its_limits_and_others_do_not(path: Path) -> None:
    clock = Clock()
    _, slow = tokenfile.add(path, Wish("slow", "x", rate=Rate(records_per_s=2)), untold)
    _, free = tokenfile.add(path, Wish("free", "x"), untold)
    book = TokenBook(path)
    gate = TokenGate(book, clock=clock)
    gate.admit(bearer(slow), "write").charge(records=10)
    with pytest.raises(ComeBack) as caught:
        gate.admit(bearer(slow), "write").charge(records=6)
    assert (caught.value.status, caught.value.retry_after) == (429, 3)
    gate.admit(bearer(free), "write").charge(records=1_000)
    book.reload()
    with pytest.raises(ComeBack):
        gate.admit(bearer(slow), "write").charge(records=6)
    clock.now += 3
    gate.admit(bearer(slow), "write").charge(records=6)
