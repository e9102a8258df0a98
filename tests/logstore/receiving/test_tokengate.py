"""The gate: from a request's headers to a sender with its own limits, or to a refusal."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from support.inside import Inside, inside

from logstore.receiving import tokenfile
from logstore.receiving.buckets import Rate
from logstore.receiving.refusals import ComeBack, NotAdmitted
from logstore.receiving.tokenfile import TokenBook
from logstore.receiving.tokengate import TokenGate
from logstore.receiving.tokens import Token, Wish

DAY = 86_400_000_000


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


def test_only_the_token_that_was_told_to_wait_has_to_and_no_longer_than_it_was_told(
    path: Path,
) -> None:
    clock = Clock()
    _, slow = tokenfile.add(path, Wish("slow", "x", rate=Rate(records_per_s=2)), untold)
    _, other = tokenfile.add(path, Wish("other", "x", rate=Rate(records_per_s=2)), untold)
    book = TokenBook(path)
    gate = TokenGate(book, clock=clock)
    sender = gate.admit(bearer(slow), "write")
    sender.check()
    sender.charge(records=10)
    with pytest.raises(ComeBack):
        sender.charge(records=6)
    book.reload()
    for pause, left in ((0, 3), (1.5, 2), (1, 1)):
        clock.now += pause
        with pytest.raises(ComeBack) as caught:
            gate.admit(bearer(slow), "write").check()
        assert (caught.value.status, caught.value.retry_after) == (429, left)
        gate.admit(bearer(other), "write").check()
    clock.now = 103
    gate.admit(bearer(slow), "write").check()
    gate.admit(bearer(slow), "write").charge(records=6)


async def test_metrics_tell_how_many_tokens_are_about_to_end_and_name_none(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    now = tokenfile._now_us()
    for name, left in (("for-ever", None), ("a-year", 365 * DAY), ("a-week", 7 * DAY)):
        ends = None if left is None else now + left
        tokenfile.add(path, Wish(name, "gateway", expires_us=ends), untold)
    for name in ("gone", "gone-too"):
        tokenfile.add(path, Wish(name, "gateway", expires_us=now + DAY), untold)
        tokenfile.revoke(path, name, untold)
    moment = now
    book = TokenBook(path)
    async with inside(tmp_path, gate=TokenGate(book, now_us=lambda: moment)) as running:

        async def told() -> list[str]:
            text = (await running.client.get("/metrics")).text
            assert not any(token.name in text or token.id in text for token in tokenfile.load(path))
            lines = [line for line in text.splitlines() if line.startswith("aircon_tokens{")]
            return [line.removeprefix('aircon_tokens{state="').replace('"}', "") for line in lines]

        assert await told() == ["valid 3.0", "expiring 0.0", "expired 0.0", "revoked 2.0"]
        moment += 1
        assert await told() == ["valid 2.0", "expiring 1.0", "expired 0.0", "revoked 2.0"]
        moment = now + 7 * DAY
        assert await told() == ["valid 2.0", "expiring 0.0", "expired 1.0", "revoked 2.0"]
        tokenfile.revoke(path, "a-year", untold)
        book.reload()
        assert await told() == ["valid 1.0", "expiring 0.0", "expired 1.0", "revoked 3.0"]


async def test_metrics_tell_how_long_until_the_next_token_that_is_good_expires(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tokens"
    now = tokenfile._now_us()
    tokenfile.add(path, Wish("for-ever", "gateway"), untold)
    book = TokenBook(path)
    moment = now
    async with inside(tmp_path, gate=TokenGate(book, now_us=lambda: moment)) as running:

        async def left() -> float:
            return await next_expiry(running)

        assert await left() == math.inf  # and not 0, which would be an alarm
        for name, days in (("a-day", 1), ("two-days", 2), ("nine-days", 9)):
            tokenfile.add(path, Wish(name, "gateway", expires_us=now + days * DAY), untold)
        tokenfile.revoke(path, "a-day", untold)
        book.reload()
        assert await left() == 2 * 86_400  # a revoked token ends no more
        moment = now + 2 * DAY - 1_500_000
        assert await left() == 1.5
        moment = now + 2 * DAY
        assert await left() == 7 * 86_400  # nor does one that has ended
        moment = now + 9 * DAY
        assert await left() == math.inf


async def next_expiry(running: Inside) -> float:
    text = (await running.client.get("/metrics")).text
    word = "aircon_token_next_expiry_seconds "
    (line,) = [line for line in text.splitlines() if line.startswith(word)]
    return float(line.removeprefix(word))


async def test_an_endpoint_without_tokens_counts_none(tmp_path: Path) -> None:
    async with inside(tmp_path) as running:
        assert "aircon_tokens{" not in (await running.client.get("/metrics")).text
        assert await next_expiry(running) == math.inf
