"""Tokens: what they look like, what is kept of them, and what is made of one that is presented."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError, UsageError
from logstore.receiving import tokens
from logstore.receiving.buckets import MAX_RATE, Rate
from logstore.receiving.tokens import ENTROPY_BYTES, PATTERN, SCOPES, Tokens, Wish

NOW = 1_795_000_000_000_000
DAY = 86_400_000_000


def entropy(number: int) -> bytes:
    return hashlib.shake_256(number.to_bytes(8, "big")).digest(ENTROPY_BYTES)


def book(*wishes: Wish) -> tuple[Tokens, list[str]]:
    made, texts = Tokens(), []
    for number, wish in enumerate(wishes):
        made, _, text = made.with_new(wish, entropy(number), NOW)
        texts.append(text)
    return made, texts


GATEWAY = Wish("gateway", "gateway", expires_us=NOW + DAY, rate=Rate(100, None))
SCRAPER = Wish("scraper", "prometheus", ("metrics",))
BOTH, (GATEWAY_TOKEN, SCRAPER_TOKEN) = book(GATEWAY, SCRAPER)


def test_a_good_token_is_told_whose_it_is() -> None:
    found = BOTH.judge(GATEWAY_TOKEN, "write", NOW)
    assert (found.standing, found.status) == ("ok", 200)
    assert found.token is not None
    assert (found.token.name, found.token.source) == ("gateway", "gateway")
    assert found.token.rate == Rate(100, None)


def test_a_token_is_for_its_scope_only() -> None:
    assert BOTH.judge(SCRAPER_TOKEN, "metrics", NOW).standing == "ok"
    found = BOTH.judge(SCRAPER_TOKEN, "write", NOW)
    assert (found.standing, found.status) == ("lacks-scope", 403)


def test_a_token_ends_when_it_expires_and_when_it_is_revoked() -> None:
    assert BOTH.judge(GATEWAY_TOKEN, "write", NOW + DAY - 1).standing == "ok"
    assert BOTH.judge(GATEWAY_TOKEN, "write", NOW + DAY).standing == "expired"
    for word in ("gateway", GATEWAY_TOKEN[7:15]):
        after, gone = BOTH.with_revoked(word, NOW + 5)
        assert gone.revoked_us == NOW + 5
        assert after.judge(GATEWAY_TOKEN, "write", NOW + 6).standing == "revoked"
        assert after.judge(SCRAPER_TOKEN, "metrics", NOW + 6).standing == "ok"


def test_who_tries_tokens_learns_nothing_of_those_that_were_good_once() -> None:
    revoked, _ = BOTH.with_revoked("gateway", NOW)
    stranger = tokens.mint(entropy(99))
    answers = {
        (found.status, found.words)
        for found in (
            BOTH.judge(stranger, "write", NOW),
            BOTH.judge("anything", "write", NOW),
            BOTH.judge(GATEWAY_TOKEN, "write", NOW + 2 * DAY),
            revoked.judge(GATEWAY_TOKEN, "write", NOW),
            revoked.judge(GATEWAY_TOKEN, "metrics", NOW),
        )
    }
    assert answers == {(401, "no valid token came with the request")}


def test_the_right_id_with_another_secret_is_nobody() -> None:
    other = bytearray(entropy(0))
    other[-1] ^= 1
    forged = tokens.mint(bytes(other))
    assert forged[:15] == GATEWAY_TOKEN[:15]
    assert BOTH.judge(forged, "write", NOW) == tokens.UNKNOWN


@given(st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES))
def test_every_token_has_the_form_that_scanners_look_for(random: bytes) -> None:
    text = tokens.mint(random)
    assert PATTERN.fullmatch(text)
    assert len(text) == 65
    made, kept, same = Tokens().with_new(GATEWAY, random, NOW)
    assert same == text
    assert made.judge(text, "write", NOW).token == kept


@given(st.integers(0, 64), st.characters(codec="ascii"))
def test_no_mistyped_character_is_taken(at: int, char: str) -> None:
    mistyped = GATEWAY_TOKEN[:at] + char + GATEWAY_TOKEN[at + 1 :]
    if mistyped != GATEWAY_TOKEN:
        assert BOTH.judge(mistyped, "write", NOW) == tokens.UNKNOWN


@given(st.text())
def test_any_text_may_be_presented(text: str) -> None:
    for each in (text, GATEWAY_TOKEN + text if text else "", f"aircon_{text}"):
        assert BOTH.judge(each, "write", NOW) == tokens.UNKNOWN


def test_the_file_holds_no_token() -> None:
    data = tokens.encode(BOTH).decode()
    for text in (GATEWAY_TOKEN, SCRAPER_TOKEN):
        assert PATTERN.search(data) is None
        assert text[16:59] not in data
        assert hashlib.sha256(text.encode()).hexdigest() in data


words = st.from_regex(tokens.WORD, fullmatch=True)
rates = st.none() | st.integers(1, MAX_RATE)
wishes = st.builds(
    Wish,
    words,
    words,
    st.lists(st.sampled_from(SCOPES), min_size=1, max_size=2).map(tuple),
    st.none() | st.integers(NOW + 1, 2**53 - 1),
    st.builds(Rate, rates, rates),
)


@given(st.lists(wishes, max_size=6, unique_by=lambda wish: wish.name), st.data())
def test_what_is_written_is_read_again(wanted: list[Wish], data: st.DataObject) -> None:
    made, _ = book(*wanted)
    for wish in wanted:
        if data.draw(st.booleans()):
            made, _ = made.with_revoked(wish.name, NOW + 1)
    written = tokens.encode(made)
    again = tokens.parse(written)
    assert list(again) == list(made)
    assert tokens.encode(again) == written


@given(st.binary())
def test_bytes_that_are_no_token_file_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        tokens.parse(data)


def test_one_changed_byte_is_refused_or_is_another_file() -> None:
    written = tokens.encode(BOTH)
    for at in range(len(written)):
        data = bytearray(written)
        data[at] ^= 0x02
        try:
            read = tokens.parse(bytes(data))
        except FormatError:
            continue
        assert list(read) != list(BOTH) or written[at : at + 1].isspace()


def altered(**changes: Any) -> bytes:
    whole = json.loads(tokens.encode(BOTH))
    whole["tokens"][0] |= changes
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "scraper"},
        {"name": SCRAPER_TOKEN[7:15]},
        {"id": SCRAPER_TOKEN[7:15]},
        {"name": "Gateway"},
        {"name": "gateway\n"},
        {"name": "../x"},
        {"name": "x" * 65},
        {"source": ""},
        {"source": "a/b"},
        {"scopes": []},
        {"scopes": ["read"]},
        {"scopes": ["metrics", "write"]},
        {"scopes": ["write", "write"]},
        {"sha256": "0" * 63},
        {"sha256": "A" * 64},
        {"created_us": -1},
        {"created_us": 1.5},
        {"expires_us": 2**60},
        {"records_per_s": 0},
        {"records_per_s": True},
        {"secret": "x"},
    ],
    ids=str,
)
def test_a_file_with_a_wrong_token_is_refused(changes: dict[str, Any]) -> None:
    assert tokens.parse(altered())
    with pytest.raises(FormatError):
        tokens.parse(altered(**changes))


def test_nobody_reads_other_tokens_in_a_file_than_we_do() -> None:
    text = tokens.encode(BOTH).decode()
    twice = text.replace('"name": "gateway"', '"name": "gateway", "name": "gateway"')
    assert twice != text
    for data in (
        twice,
        text + text,
        text.replace(": 1", ": 2", 1),
        "[" * 100_000,
        text + " " * 2**20,
    ):
        with pytest.raises(FormatError):
            tokens.parse(data.encode())


@pytest.mark.parametrize(
    "wish",
    [
        Wish("gateway", "x"),
        Wish(SCRAPER_TOKEN[7:15], "x"),
        Wish("", "x"),
        Wish("Maria's laptop", "x"),
        Wish("new", "live/x"),
        Wish("new", "x", ()),
        Wish("new", "x", expires_us=NOW),
        Wish("new", "x", rate=Rate(0, None)),
        Wish("new", "x", rate=Rate(None, MAX_RATE + 1)),
    ],
    ids=str,
)
def test_a_wish_that_can_not_be_met_is_refused(wish: Wish) -> None:
    with pytest.raises(UsageError):
        BOTH.with_new(wish, entropy(7), NOW)


def test_a_file_is_never_made_so_full_that_it_could_not_be_read() -> None:
    longest = [
        tokens.Token(
            id=f"aaaa{tokens._base62(number, 4).lower().translate(str.maketrans('0189', 'wxyz'))}",
            name=f"{number:064d}",
            source="s" * 64,
            scopes=SCOPES,
            sha256="f" * 64,
            created_us=2**53 - 1,
            expires_us=2**53 - 1,
            revoked_us=2**53 - 1,
            records_per_s=MAX_RATE,
            bytes_per_s=MAX_RATE,
        )
        for number in range(tokens.MAX_TOKENS)
    ]
    full = Tokens(tuple({token.id: token for token in longest}.values()))
    assert len(tokens.encode(full)) / len(full) * tokens.MAX_TOKENS < tokens.MAX_FILE
    assert len(tokens.parse(tokens.encode(full))) == len(full)


def test_a_file_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    with pytest.raises(UsageError, match="at most 2 tokens"):
        BOTH.with_new(Wish("third", "x"), entropy(9), NOW)


@pytest.mark.parametrize("size", [0, ENTROPY_BYTES - 1, ENTROPY_BYTES + 1])
def test_a_token_is_made_of_all_its_random_bits_or_not_at_all(size: int) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        tokens.mint(bytes(size))


def test_what_can_not_be_revoked_is_said() -> None:
    with pytest.raises(UsageError, match="no token 'nobody'"):
        BOTH.with_revoked("nobody", NOW)
    once, _ = BOTH.with_revoked("gateway", NOW)
    with pytest.raises(UsageError, match="revoked already"):
        once.with_revoked("gateway", NOW)
    with pytest.raises(UsageError, match="not used again|already"):
        once.with_new(GATEWAY, entropy(8), NOW)
