"""Addresses to listen on, and what must guard those that others can reach."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import UsageError
from logstore.receiving.bindings import Binding, Guards, check_guards, parse_listen

HTTPS = Guards(certificate=True, key=True)


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        ("127.0.0.1:4318", Binding("127.0.0.1", 4318, loopback=True)),
        ("127.8.9.10:1", Binding("127.8.9.10", 1, loopback=True)),
        ("localhost:4318", Binding("127.0.0.1", 4318, loopback=True)),
        ("LocalHost:0", Binding("127.0.0.1", 0, loopback=True)),
        ("[::1]:4318", Binding("::1", 4318, loopback=True)),
        ("[0:0:0:0:0:0:0:1]:4318", Binding("::1", 4318, loopback=True)),
        ("0.0.0.0:4318", Binding("0.0.0.0", 4318, loopback=False)),
        ("10.0.0.7:65535", Binding("10.0.0.7", 65_535, loopback=False)),
        ("[::]:4318", Binding("::", 4318, loopback=False)),
        ("[2001:DB8::1]:80", Binding("2001:db8::1", 80, loopback=False)),
    ],
)
def test_an_address_is_read(text: str, binding: Binding) -> None:
    assert parse_listen(text) == binding


def test_an_ipv4_address_in_ipv6_clothes_is_judged_by_what_it_is() -> None:
    assert parse_listen("[::ffff:127.0.0.1]:1").loopback
    assert not parse_listen("[::ffff:10.0.0.1]:1").loopback


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "HOST:PORT is due"),
        ("4318", "HOST:PORT is due"),
        ("127.0.0.1", "HOST:PORT is due"),
        ("127.0.0.1:", "HOST:PORT is due"),
        ("127.0.0.1:65536", "HOST:PORT is due"),
        ("127.0.0.1:-1", "HOST:PORT is due"),
        ("127.0.0.1:99999999999999", "HOST:PORT is due"),
        ("127.0.0.1:\u0664", "HOST:PORT is due"),
        ("127.0.0.1:80\n", "HOST:PORT is due"),
        ("::1:4318", "HOST:PORT is due"),
        ("[::1]4318", "HOST:PORT is due"),
        (":4318", "the address is missing"),
        ("example.org:4318", "not a name"),
        ("127.1:4318", "not a name"),
        ("127.0.0.01:4318", "not a name"),
        ("2130706433:4318", "not a name"),
        ("[]:4318", "IPv6 address"),
        ("[127.0.0.1]:4318", "IPv6 address"),
        ("[localhost]:4318", "IPv6 address"),
        ("[fe80::1%eth0]:4318", "without zone"),
        ("[::1%lo]:4318", "without zone"),
        ("unix:/run/aircon.sock", "no unix socket"),
        ("unix:4318", "no unix socket"),
    ],
)
def test_what_is_no_address_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        parse_listen(text)
    assert caught.value.todo


@given(st.text())
def test_any_text_may_be_given(text: str) -> None:
    try:
        found = parse_listen(text)
    except UsageError:
        return
    assert parse_listen(str(found)) == found


@given(st.ip_addresses(), st.integers(0, 65_535))
def test_what_is_shown_is_read_again(address: object, port: int) -> None:
    found = parse_listen(f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}")
    assert parse_listen(str(found)) == found


def test_on_loopback_nothing_is_needed_and_everything_is_possible() -> None:
    near = parse_listen("127.0.0.1:4318")
    for guards in (Guards(), Guards(tokens=True), HTTPS, Guards(True, True, True, True)):
        check_guards(near, guards)


@pytest.mark.parametrize("text", ["0.0.0.0:4318", "[::]:4318", "192.168.1.2:4318"])
def test_nobody_outside_is_let_in_without_tls_and_tokens(text: str) -> None:
    far = parse_listen(text)
    check_guards(far, Guards(True, True, False, True))
    check_guards(far, Guards(True, True, True, True))
    for guards, missing in (
        (Guards(), "needs TLS and a token file"),
        (Guards(tokens=True), "needs TLS$"),
        (HTTPS, "needs a token file"),
        (Guards(True, True, True, False), "needs a token file"),  # mutual TLS names no source
    ):
        with pytest.raises(UsageError, match=missing) as caught:
            check_guards(far, guards)
        assert "127.0.0.1:4318" in caught.value.todo
        assert ("--tls-cert" in caught.value.todo) == (not guards.certificate)
        assert ("aircon token add" in caught.value.todo) == (not guards.tokens)


def test_half_of_tls_is_refused_everywhere() -> None:
    for text, tokens in itertools.product(("127.0.0.1:1", "0.0.0.0:1"), (True, False)):
        binding = parse_listen(text)
        with pytest.raises(UsageError, match="--tls-key is missing"):
            check_guards(binding, Guards(certificate=True, tokens=tokens))
        with pytest.raises(UsageError, match="--tls-cert is missing"):
            check_guards(binding, Guards(key=True, client_ca=True, tokens=tokens))
        with pytest.raises(UsageError, match="only HTTPS has"):
            check_guards(binding, Guards(client_ca=True, tokens=tokens))
