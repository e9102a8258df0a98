"""Bearer tokens: how they are made, written, kept and judged. Pure.

    aircon_<id>_<secret><check>     aircon_k3vq7a2m_0aZ...       65 characters
            |    |       |
            |    |       CRC-32 of everything before it, 6 characters of base62
            |    256 random bits, 43 characters of base62
            40 random bits, 8 characters of base32 in lower case; not secret, names the token

The check lets a mistyped or cut token be told from an unknown one without the file, and lets a
secret scanner be sure of what it found (`PATTERN`, then the check).

At rest stands the SHA-256 of the whole token. A slow hash (scrypt, Argon2) protects what people
choose, by making each guess dear; 256 random bits can not be guessed at any price, and a slow hash
on every request would only hand senders a way to keep the machine busy. There is no salt for the
same reason: no two tokens are alike, and no table of hashes covers 2^256 of them.

The file is one JSON object in the spelling of `encode`, white space aside; anything else is
refused, so that no reader sees other tokens in it than we do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from logstore.errors import FormatError, UsageError
from logstore.receiving.buckets import MAX_RATE, Rate

Scope = Literal["write", "metrics"]
"""What a token is for: sending records; reading ``/metrics`` from elsewhere."""

Standing = Literal["ok", "unknown", "expired", "revoked", "lacks-scope"]
"""What was found about a token that somebody presented."""

State = Literal["valid", "expiring", "expired", "revoked"]
"""What becomes of a token: ``expiring`` is good still, and not any more within `SOON_US`."""

STATES: tuple[State, ...] = ("valid", "expiring", "expired", "revoked")
"""Every state; a token is in one of them."""

SOON_US = 7 * 86_400_000_000
"""Within which a token is told to expire, microseconds."""

SCOPES: tuple[Scope, ...] = ("write", "metrics")
"""Every scope."""

WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names and sources: one lower-case word."""

PATTERN = re.compile(r"aircon_([a-z2-7]{8})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")
"""A token; for secret scanners too."""

ENTROPY_BYTES = 37
"""Random bytes that `mint` wants: 5 for the id, 32 for the secret."""

MAX_TOKENS = 1_000
"""Most tokens in a file, revoked ones included."""

MAX_FILE = 2**20
"""Largest token file in bytes."""

_VERSION = 1
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MOST_US = 2**53 - 1  # what every JSON reader keeps exact
_NOBODY = hashlib.sha256(b"").digest()  # the hash of no token

_Us = Annotated[int, msgspec.Meta(ge=0, le=_MOST_US)]
_PerSecond = Annotated[int, msgspec.Meta(ge=1, le=MAX_RATE)]
_Word = Annotated[str, msgspec.Meta(pattern=rf"^{WORD.pattern}\Z", max_length=64)]


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is kept of a token; not the token itself. Moments are microseconds since 1970 UTC.

    Attributes:
        id: names it, on the log too; not secret.
        name: what people call it.
        source: the word its records' source is made from.
        scopes: what it is for, in the order of `SCOPES`.
        sha256: SHA-256 of the token's text, 64 hexadecimal digits in lower case.
        created_us: when it was made.
        expires_us: from when on it is no longer good; None for never.
        revoked_us: since when it is no longer good; None while it is.
        records_per_s: its own limit; None for none.
        bytes_per_s: its own limit; None for none.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z2-7]{8}\Z", max_length=8)]
    name: _Word
    source: _Word
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=len(SCOPES))]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z", max_length=64)]
    created_us: _Us
    expires_us: _Us | None = None
    revoked_us: _Us | None = None
    records_per_s: _PerSecond | None = None
    bytes_per_s: _PerSecond | None = None

    @property
    def rate(self) -> Rate:
        """Its own limits."""
        return Rate(self.records_per_s, self.bytes_per_s)

    def standing(self, now_us: int) -> Standing:
        """Whether it is good at a moment: ``ok``, ``expired`` or ``revoked``."""
        if self.revoked_us is not None:
            return "revoked"
        if self.expires_us is not None and now_us >= self.expires_us:
            return "expired"
        return "ok"

    def state(self, now_us: int) -> State:
        """Its `standing`, where one that will soon be ``expired`` is told apart from ``valid``."""
        standing = self.standing(now_us)
        if standing != "ok":
            return "expired" if standing == "expired" else "revoked"
        soon = self.expires_us is not None and self.expires_us - now_us < SOON_US
        return "expiring" if soon else "valid"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aircon_tokens: int
    tokens: Annotated[tuple[Token, ...], msgspec.Meta(max_length=MAX_TOKENS)]


_DECODER = msgspec.json.Decoder(_File)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new token is to be.

    Attributes:
        name: what people call it; free in the file.
        source: the word its records' source is made from.
        scopes: what it is for.
        expires_us: from when on it is not good; None for never.
        rate: its own limits.
    """

    name: str
    source: str
    scopes: tuple[Scope, ...] = ("write",)
    expires_us: int | None = None
    rate: Rate = field(default_factory=Rate)


@dataclass(frozen=True, slots=True)
class Census:
    """What becomes of all tokens, without a word about any one of them.

    Attributes:
        states: how many are in each state; empty where no tokens are asked for.
        left_us: until the next one that is good now expires, microseconds; None where none will.
    """

    states: Mapping[State, int]
    left_us: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be answered to whoever presented a token, and why, for our own eyes.

    Attributes:
        standing: what was found. Not for the sender: who tries tokens must not learn which of them
            were good once.
        token: the token, where it is known.
    """

    standing: Standing
    token: Token | None = None

    @property
    def status(self) -> int:
        """HTTP status (RFC 9110 15.5): 200, 401, or 403 where a good token lacks the scope."""
        return {"ok": 200, "lacks-scope": 403}.get(self.standing, 401)

    @property
    def words(self) -> str:
        """The words for the sender: the same whether a token is unknown, expired or revoked."""
        if self.standing == "lacks-scope":
            return "this token is not for that"
        return "ok" if self.standing == "ok" else "no valid token came with the request"


UNKNOWN = Verdict("unknown")
"""Nothing that could be a token, or one that nobody knows."""


class Tokens:
    """The tokens of one file. Immutable, so that threads can share it.

    Args:
        tokens: in the order they were made.

    Raises:
        FormatError: a name or id is there twice, or scopes are out of order.
    """

    def __init__(self, tokens: tuple[Token, ...] = ()) -> None:
        taken: set[str] = set()
        for token in tokens:
            for word in (token.id, token.name):
                if word in taken:
                    raise FormatError(f"two tokens are called {word!r}")
                taken.add(word)
            if token.scopes != tuple(scope for scope in SCOPES if scope in token.scopes):
                raise FormatError(f"the scopes of token {token.name!r} are repeated or misplaced")
        self._tokens = tokens
        self._taken = taken
        self._by_id = {token.id: token for token in tokens}

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def judge(self, text: str, scope: Scope, now_us: int) -> Verdict:
        """What to make of a text that somebody presented as a token.

        The comparison takes the same time wherever two hashes differ (`hmac.compare_digest`), and
        is made for an unknown id too. Expired, revoked and scope are looked at only once the
        secret was right.
        """
        match = PATTERN.fullmatch(text)
        if match is None or match[3] != _check(text[: match.start(3)]):
            return UNKNOWN
        token = self._by_id.get(match[1])
        kept = _NOBODY if token is None else bytes.fromhex(token.sha256)
        same = hmac.compare_digest(_hash(text), kept)
        if token is None or not same:
            return UNKNOWN
        standing = token.standing(now_us)
        if standing == "ok" and scope not in token.scopes:
            standing = "lacks-scope"
        return Verdict(standing, token)

    def census(self, now_us: int) -> Census:
        """What becomes of them, as it looks at a moment."""
        counted = dict.fromkeys(STATES, 0)
        ends: list[int] = []
        for token in self._tokens:
            counted[token.state(now_us)] += 1
            if token.expires_us is not None and token.standing(now_us) == "ok":
                ends.append(token.expires_us)
        return Census(counted, min(ends) - now_us if ends else None)

    def called(self, word: str) -> Token | None:
        """The token with this name or id."""
        return next((token for token in self._tokens if word in (token.name, token.id)), None)

    def with_new(self, wish: Wish, entropy: bytes, now_us: int) -> tuple[Tokens, Token, str]:
        """Make one more token.

        Args:
            wish: what it is to be.
            entropy: `ENTROPY_BYTES` bytes from a generator fit for keys.
            now_us: the moment.

        Returns:
            All tokens, the new one, and its text, which is kept nowhere.

        Raises:
            UsageError: the name is taken, or something about the wish is not of its form.
        """
        check_wish(wish, now_us)
        if wish.name in self._taken:
            raise UsageError(
                f"there is a token {wish.name!r} already",
                kept="Nothing was changed.",
                todo="Choose another name; --source may be the same. Names are not used again, so"
                " that the log stays clear.",
            )
        if len(self) >= MAX_TOKENS:
            raise UsageError(f"a token file holds at most {MAX_TOKENS:,} tokens")
        text = mint(entropy)
        token = Token(
            id=text[7:15],
            name=wish.name,
            source=wish.source,
            scopes=tuple(scope for scope in SCOPES if scope in wish.scopes),
            sha256=_hash(text).hex(),
            created_us=now_us,
            expires_us=wish.expires_us,
            records_per_s=wish.rate.records_per_s,
            bytes_per_s=wish.rate.bytes_per_s,
        )
        return Tokens((*self._tokens, token)), token, text

    def with_revoked(self, word: str, now_us: int) -> tuple[Tokens, Token]:
        """Revoke the token with this name or id.

        Raises:
            UsageError: there is none, or it is revoked already.
        """
        found = self.called(word)
        if found is None:
            raise UsageError(
                f"there is no token {word!r}", todo="`aircon token list` names those there are."
            )
        if found.revoked_us is not None:
            raise UsageError(f"the token {found.name!r} is revoked already")
        revoked = msgspec.structs.replace(found, revoked_us=now_us)
        kept = tuple(revoked if token is found else token for token in self._tokens)
        return Tokens(kept), revoked


def check_wish(wish: Wish, now_us: int) -> None:
    """See that a token can be what it is to be; whether its name is free, the file knows.

    Raises:
        UsageError: what is wrong with it.
    """
    for what, word in (("name", wish.name), ("source", wish.source)):
        if not WORD.fullmatch(word):
            raise UsageError(
                f"{word!r} can not be the {what} of a token",
                todo="Use 1 to 64 of a-z 0-9 . _ - and start with a letter or digit.",
            )
    if not wish.scopes or not set(wish.scopes) <= set(SCOPES):
        raise UsageError(f"the scopes of a token are {' and '.join(SCOPES)}")
    if wish.expires_us is not None and not now_us < wish.expires_us <= _MOST_US:
        raise UsageError("a token must expire in the future")
    for rate in (wish.rate.records_per_s, wish.rate.bytes_per_s):
        if rate is not None and not 1 <= rate <= MAX_RATE:
            raise UsageError(f"a rate is 1 to {MAX_RATE:,} a second")


def mint(entropy: bytes) -> str:
    """The text of a new token from `ENTROPY_BYTES` random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"{ENTROPY_BYTES} random bytes are due")
    name = base64.b32encode(entropy[:5]).decode("ascii").lower()
    text = f"aircon_{name}_{_base62(int.from_bytes(entropy[5:], 'big'), 43)}"
    return text + _check(text)


def encode(tokens: Tokens) -> bytes:
    """The token file, indented for people."""
    data = msgspec.json.encode(_File(_VERSION, tuple(tokens)))
    return msgspec.json.format(data, indent=1) + b"\n"


def parse(data: bytes) -> Tokens:
    """Read a token file.

    Raises:
        FormatError: not a token file in the one spelling that `encode` has, white space aside;
            of another version; larger than `MAX_FILE`.
    """
    if len(data) > MAX_FILE:
        raise FormatError(f"a token file has at most {MAX_FILE:,} bytes")
    try:
        found = _DECODER.decode(data)
        spelled = msgspec.json.format(data, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a token file: {error}") from None
    if found.aircon_tokens != _VERSION:
        raise FormatError(f"a token file of version {found.aircon_tokens}; {_VERSION} is known")
    if spelled != msgspec.json.encode(found):
        raise FormatError("a token file with repeated or misplaced keys")
    return Tokens(found.tokens)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()


def _check(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), 6)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
