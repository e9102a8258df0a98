"""Claims: only the log can make one, and nothing else is taken for one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.claim import MAX_CLAIM, Claim, open_claim
from logstore.formats.note import Signer, sign_note

SIGNER = Signer("logs.example.com/support", bytes(32))
OTHER = Signer("logs.example.com/support", bytes([1]) * 32)
CLAIM = Claim(13, 5, "ab" * 32, "0123456789abcdef host.example")


def test_a_claim_comes_back() -> None:
    assert open_claim(CLAIM.sign(SIGNER), [SIGNER.verifier()]) == CLAIM


def test_a_repeated_claim_is_the_same_bytes() -> None:
    assert CLAIM.sign(SIGNER) == CLAIM.sign(SIGNER)


def test_nobody_else_can_claim() -> None:
    with pytest.raises(FormatError):
        open_claim(CLAIM.sign(OTHER), [SIGNER.verifier()])


@pytest.mark.parametrize(
    "text",
    [
        "aircon-claim/2\n13 5\n" + "ab" * 32 + "\n0123456789abcdef host\n",
        "aircon-claim/1\n13\n" + "ab" * 32 + "\n0123456789abcdef host\n",
        "aircon-claim/1\n-1 5\n" + "ab" * 32 + "\n0123456789abcdef host\n",
        "aircon-claim/1\n013 5\n" + "ab" * 32 + "\n0123456789abcdef host\n",
        "aircon-claim/1\n13 5\n" + "AB" * 32 + "\n0123456789abcdef host\n",
        "aircon-claim/1\n13 5\n" + "ab" * 32 + "\n0123456789abcdef h\u00f6st\n",
        "aircon-claim/1\n13 5\n" + "ab" * 32 + "\n0123456789abcdef host\nmore\n",
    ],
)
def test_what_the_log_signed_and_is_no_claim_is_none(text: str) -> None:
    with pytest.raises(FormatError):
        open_claim(sign_note(text, SIGNER), [SIGNER.verifier()])


def test_a_checkpoint_is_no_claim() -> None:
    note = sign_note("logs.example.com/support\n13\n" + "A" * 43 + "=\n", SIGNER)
    with pytest.raises(FormatError):
        open_claim(note, [SIGNER.verifier()])


def test_a_huge_one_is_not_read() -> None:
    with pytest.raises(FormatError, match="at most"):
        open_claim(b"x" * (MAX_CLAIM + 1), [SIGNER.verifier()])


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_anything_else_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(FormatError):
        open_claim(data, [SIGNER.verifier()])


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_flipped_byte_changes_what_is_claimed(at: int, mask: int) -> None:
    data = bytearray(CLAIM.sign(SIGNER))
    data[at % len(data)] ^= mask
    with contextlib.suppress(FormatError):
        assert open_claim(bytes(data), [SIGNER.verifier()]) == CLAIM, "only what is not signed"
