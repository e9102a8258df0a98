r"""Signed notes: text with signature lines (C2SP signed-note v1.0.0).

    <text ending in \n>\n— <key name> <base64(key id[4] || signature)>\n ...

Rules of this file:

1. The text ends at the *last* empty line. What is signed is the text alone, with its last newline.
2. A note is UTF-8 without control characters other than newline, at most `MAX_NOTE` bytes with at
   most `MAX_SIGNATURES` signatures; every base64 is in its one spelling.
3. Keys come from the caller, never from the note. Signatures of unknown keys are ignored; one
   failing signature of a known key condemns the whole note; without a known key nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logstore.errors import CannotJudge, FormatError, TamperingFound, UsageError
from logstore.formats import schemes
from logstore.formats.spelling import encode_base64, parse_base64

MAX_NOTE = 1_000_000
"""Largest signed note in bytes."""

MAX_SIGNATURES = 100
"""Most signatures on a note."""

_DASH = "\u2014 "
_REFUSED_IN_TEXT = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_REFUSED_IN_NAME = re.compile(r"[\s+\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line.

    Attributes:
        name: key name.
        key_id: 4 bytes that tell the key and its type apart; an identifier, not a proof.
        signature: what the signature type puts there, at least one byte.
    """

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note.

    Attributes:
        text: what is signed, ending in a newline.
        signatures: from `parse_note` every line of the note, checked by nobody; from `open_note`
            only those that were verified.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """The signed note."""
        lines = "".join(signature.line() for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with the name it signs under.

    Attributes:
        name: key name.
        key_id: 4 bytes, SHA-256(name || newline || type || public key)[:4].
        type: signature type, one of `schemes.KEY_SIZES`.
        public_key: raw key of the type's length.

    Raises:
        FormatError: the parts do not belong together.
    """

    name: str
    key_id: bytes
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != schemes.KEY_SIZES.get(self.type):
            raise FormatError(f"key {self.name}: unknown signature type or wrong key length")
        if self.key_id != schemes.key_id(self.name, self.type, self.public_key):
            raise FormatError(f"key {self.name}: the key id does not belong to name and key")

    @classmethod
    def of(cls, name: str, scheme: int, public_key: bytes) -> Verifier:
        """The verifier with its key id worked out.

        Raises:
            FormatError: not a name, not a type, or not a key of that type.
        """
        check_name(name)
        if scheme not in schemes.KEY_SIZES:
            raise FormatError(f"key {name}: unknown signature type {scheme}")
        return cls(name, schemes.key_id(name, scheme, public_key), scheme, public_key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's signature of the note text `message`."""
        return schemes.verify(self.type, self.name, self.public_key, message, signature)

    def vkey(self) -> str:
        """The key as text: ``name+hex key id+base64(type || public key)``."""
        material = encode_base64(bytes([self.type]) + self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{material}"


class NoteSigner(Protocol):
    """Whoever can put a signature line under a note."""

    def verifier(self) -> Verifier:
        """The public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature blob over a note text."""
        ...


class Signer:
    """An Ed25519 key (type 0x01) that signs notes. The seed is the secret.

    Args:
        name: key name; for a log, its origin.
        seed: 32 random bytes.

    Raises:
        FormatError: not a key name, or not 32 bytes.
    """

    __slots__ = ("_key", "_verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != 32:
            raise FormatError("an Ed25519 seed is 32 bytes long")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        self._verifier = Verifier.of(name, schemes.ED25519, public)

    def verifier(self) -> Verifier:
        """The public key."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """64-byte Ed25519 signature (RFC 8032)."""
        return self._key.sign(message)


def check_name(name: str) -> None:
    """Refuse what cannot be a key name.

    Raises:
        FormatError: empty, or with a space, '+' or control character.
    """
    if not name or _REFUSED_IN_NAME.search(name):
        raise FormatError("a key name is not empty and has no spaces, '+' or control characters")


def parse_vkey(text: str) -> Verifier:
    """Read a verifier key (C2SP signed-note "Verifier keys").

    Raises:
        FormatError: not exactly such a text, or a signature type this program does not know.
    """
    name, plus, rest = text.partition("+")
    identifier, plus2, material = rest.partition("+")
    if not (plus and plus2) or len(text) > 8192:
        raise FormatError("a verifier key is name+id+key")
    data = parse_base64(material, "verifier key")
    if not data:
        raise FormatError("a verifier key with nothing in it")
    verifier = Verifier.of(name, data[0], data[1:])
    if verifier.key_id.hex() != identifier:
        raise FormatError(f"key {name}: the key id does not belong to name and key")
    return verifier


def parse_note(data: bytes) -> Note:
    """Read a signed note without checking its signatures.

    Raises:
        FormatError: not exactly a signed note.
    """
    if len(data) > MAX_NOTE:
        raise FormatError(f"note of {len(data)} bytes; the format allows {MAX_NOTE}")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise FormatError("note is not UTF-8") from None
    _check_text(whole)
    text, blank, block = whole.rpartition("\n\n")
    if not blank or not block:
        raise FormatError("note has no signatures")
    lines = block.split("\n", MAX_SIGNATURES)
    if lines.pop():
        raise FormatError(f"note has more than {MAX_SIGNATURES} signatures, or half a line")
    note = Note(text + "\n", tuple(_parse_line(line) for line in lines))
    if note.encode() != data:
        raise FormatError("note is not in its one spelling")
    return note


def parse_signature_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines that stand alone, as a C2SP tlog-witness answers; checked by nobody.

    Raises:
        FormatError: not exactly such lines, at least one.
    """
    note = parse_note(b"\n\n" + data)
    if note.text != "\n":
        raise FormatError("there is more than signature lines")
    return note.signatures


def sign_note(text: str, *signers: NoteSigner) -> bytes:
    """Sign a text.

    Raises:
        FormatError: the text cannot be a note's: no newline at its end, control characters.
        UsageError: no signer was given.
    """
    if not signers:
        raise UsageError("a note needs at least one signer")
    if not text.endswith("\n"):
        raise FormatError("a note text ends with a newline")
    _check_text(text)
    message = text.encode()
    lines = tuple(
        NoteSignature(key.name, key.key_id, signer.sign(message))
        for signer in signers
        for key in (signer.verifier(),)
    )
    return Note(text, lines).encode()


def add_signature(data: bytes, signature: NoteSignature) -> bytes:
    """The signed note with one more signature line at its end.

    Raises:
        FormatError: not a signed note, or it would be too large with that line.
    """
    note = parse_note(data)
    longer = Note(note.text, (*note.signatures, signature)).encode()
    parse_note(longer)
    return longer


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Read a signed note and check every signature that a known key made.

    Returns:
        The note with the verified signatures only, at least one.

    Raises:
        FormatError: not exactly a signed note.
        TamperingFound: a signature of a known key is wrong.
        CannotJudge: none of the known keys signed it.
        UsageError: two of the known keys have the same name and key id.
    """
    note, known = parse_note(data), _by_identity(verifiers)
    message, good = note.text.encode(), []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if not verifier.verify(message, signature.signature):
            raise TamperingFound(
                f"the signature of {verifier.name} is wrong",
                todo="keep this copy as evidence and look for another source of the note",
            )
        good.append(signature)
    if not good:
        raise CannotJudge(
            "no key you trust has signed this note",
            todo="add the signer's verifier key to the policy, after checking where it came from",
        )
    return Note(note.text, tuple(good))


def _by_identity(verifiers: Iterable[Verifier]) -> dict[tuple[str, bytes], Verifier]:
    known: dict[tuple[str, bytes], Verifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) != verifier:
            raise UsageError(f"two trusted keys are both called {verifier.name} with one key id")
    return known


def _check_text(text: str) -> None:
    if _REFUSED_IN_TEXT.search(text):
        raise FormatError("note has control characters, or is not UTF-8")


def _parse_line(line: str) -> NoteSignature:
    name, space, blob = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise FormatError("note has a line among its signatures that is none")
    check_name(name)
    data = parse_base64(blob, "note signature")
    if len(data) < 5:
        raise FormatError("note signature is too short")
    return NoteSignature(name, data[:4], data[4:])
