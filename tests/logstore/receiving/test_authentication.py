"""The Authorization header: the two forms that are taken, and everything else that is sent."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.receiving.authentication import MAX_HEADER, presented
from logstore.receiving.tokens import mint

TOKEN = mint(bytes(range(37)))


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER   {TOKEN}",
        f" Bearer {TOKEN}\t",
        basic(f"pk-lf-1234:{TOKEN}"),
        basic(f":{TOKEN}"),
        basic(f"mária:{TOKEN}"),
        basic(f"x:{TOKEN}").replace("Basic", "bAsIc"),
    ],
)
def test_a_token_is_found_in_both_forms(header: str) -> None:
    assert presented([header]) == TOKEN


@pytest.mark.parametrize(
    "values",
    [
        [],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        [f"Bearer {TOKEN}"] * 1_000,
        [""],
        ["Bearer"],
        ["Bearer "],
        [TOKEN],
        [f"Bearer{TOKEN}"],
        [f"Token {TOKEN}"],
        [f"Bearer {TOKEN} {TOKEN}"],
        [f"Bearer {TOKEN},Bearer {TOKEN}"],
        [f'Bearer "{TOKEN}"'],
        [f"Bearer {TOKEN}\n"],
        [f"Bearer {TOKEN}\0"],
        [f"Bearer \u00e9{TOKEN}"],
        [f"Bear\u0435r {TOKEN}"],
        ["Bearer " + "a" * MAX_HEADER],
        ["Bearer " + " " * 10**6],
        ["Bearer " + "=" * 4_000],
        [basic(TOKEN)],
        [basic(f"{TOKEN}:")],
        [basic(f"x:{TOKEN}") + "="],
        [basic(f"xy:{TOKEN}")[:-1]],
        [basic("x:\0")],
        [basic("x:tok\u00e9n")],
        ["Basic !!!!"],
        ["Basic ===="],
        ["Basic " + base64.urlsafe_b64encode(b"\xff\xfe:x").decode()],
        [f"Digest {TOKEN}"],
    ],
    ids=lambda values: repr(values)[:40],
)
def test_anything_else_carries_no_token(values: list[str]) -> None:
    assert presented(values) is None


@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=3))
def test_any_header_may_be_sent(values: list[str]) -> None:
    for prefix in ("", "Bearer ", "Basic "):
        found = presented([prefix + value for value in values])
        assert found is None or (found.isascii() and found.isprintable())


@given(
    st.text().filter(lambda name: ":" not in name), st.from_regex(r"[!-~]{1,80}", fullmatch=True)
)
def test_the_password_is_whatever_follows_the_first_colon(user: str, password: str) -> None:
    assert presented([basic(f"{user}:{password}")]) == password
