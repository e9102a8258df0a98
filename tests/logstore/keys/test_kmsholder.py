"""A key of AWS KMS opens the key store; KMS learns which log, and of nobody."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from support.s3_fixtures import KMS_REGION
from support.stores import ORIGIN, TestStore, chat

from logstore.disk import Disk
from logstore.errors import FormatError, KeyUnavailable, UsageError
from logstore.keys import kmsholder
from logstore.keys.keystore import KeyStore, holder_name
from logstore.keys.kmsholder import KmsHolder
from logstore.storage.log import Log, Options


@pytest.fixture(autouse=True)
def _kms(kms: Any) -> None:
    """Every test here asks it."""


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What goes over the wire to KMS: headers and bodies."""
    found: list[bytes] = []
    real = kmsholder.connect

    def connect(*given: Any) -> Any:
        client = real(*given)
        client.meta.events.register(
            "before-send.kms", lambda request, **_: found.append(request.body)
        )
        return client

    monkeypatch.setattr(kmsholder, "connect", connect)
    return found


def test_the_key_store_opens_with_the_key_and_rotates_under_it(
    key: str, tmp_path: Path, kms: Any
) -> None:
    alias = f"alias/aircon-{key[-12:]}"
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    keys = KeyStore.create(tmp_path / "k", KmsHolder(alias, ORIGIN, KMS_REGION), origin=ORIGIN)
    entry = keys.obtain("subject", "maria", "2026-11")
    other = keys.obtain("subject", "piet", "2026-11")
    keys.flush()
    generation = keys.generation
    keys.destroy([entry.id])
    assert keys.generation > generation
    keys.close()
    assert holder_name(tmp_path / "k") == "aws-kms"
    again = KeyStore.open(tmp_path / "k", KmsHolder())
    assert again.key(other.id).key == other.key
    again.close()


def test_kms_is_told_of_nobody(key: str, tmp_path: Path, sent: list[bytes]) -> None:
    store = TestStore(tmp_path)
    keys = KeyStore.create(store.keys_path, KmsHolder(key, ORIGIN), origin=ORIGIN)
    options = Options(protect=False)
    with Log.create(store.path, keys, options=options) as log:
        log.append(chat("about a refund", "maria@example.org"))
        log.seal()
    keys.destroy([keys.obtain("subject", "maria@example.org", "2026-11").id])
    keys.close()
    assert len(sent) >= 2
    asked = [json.loads(body) for body in sent]
    for body in asked:
        assert body.keys() <= {"KeyId", "Plaintext", "CiphertextBlob", "EncryptionContext"}
        context = body["EncryptionContext"]
        assert context.keys() == {"purpose", "origin", "generation"}
        assert (context["purpose"], context["origin"]) == (kmsholder.PURPOSE, ORIGIN)
    assert b"maria" not in b"".join(sent)


def test_a_slot_of_another_generation_or_log_does_not_open(key: str) -> None:
    holder = KmsHolder(key, ORIGIN)
    kek = bytes(range(32))
    sealed = holder.seal(kek, 3)
    assert kek not in sealed
    assert KmsHolder().open(sealed, 3) == kek
    with pytest.raises(KeyUnavailable, match="not what .* sealed for this log"):
        KmsHolder().open(sealed, 4)
    with pytest.raises(KeyUnavailable):
        KmsHolder().open(sealed.replace(ORIGIN.encode(), b"logs.example.com/other"), 3)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "does not let these credentials"),
        ("DisabledException", "disabled, or waits for its deletion"),
        ("KMSInvalidStateException", "disabled, or waits for its deletion"),
        ("NotFoundException", "has no key"),
        ("ThrottlingException", "can not use .* now"),
    ],
)
def test_refusals_are_told_in_words(
    code: str, words: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto opens with disabled keys too, so the answers here are made by hand."""
    KeyStore.create(tmp_path / "k", KmsHolder(key, ORIGIN), origin=ORIGIN).close()

    class Refusing:
        def decrypt(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": code}}, "Decrypt")

    monkeypatch.setattr(kmsholder, "connect", lambda *_: Refusing())
    with pytest.raises(KeyUnavailable, match=words) as told:
        KeyStore.open(tmp_path / "k", KmsHolder())
    assert told.value.todo


def test_kms_that_is_away_leaves_everything_as_it_was(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyStore.create(tmp_path / "k", KmsHolder(key, ORIGIN), origin=ORIGIN)
    entry = keys.obtain("subject", "maria", "2026-11")
    keys.flush()
    with monkeypatch.context() as away:
        away.setattr(kmsholder, "connect", _nowhere)
        with pytest.raises(KeyUnavailable, match="could not be asked"):
            keys.destroy([entry.id])
    keys.close()
    again = KeyStore.open(tmp_path / "k", KmsHolder())
    assert again.key(entry.id).key == entry.key
    again.destroy([entry.id])
    again.close()


def _nowhere(*_: object) -> Any:
    class Nowhere:
        def encrypt(self, **_: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://kms.invalid")

    return Nowhere()


class _Dies(Exception):
    pass


class _Mortal(Disk):
    """A disk on which the writer dies at the chosen replacement of a file."""

    def __init__(self, at: int) -> None:
        super().__init__(immutable=False)
        self.left = at

    def replace(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        self.left -= 1
        if self.left < 0:
            raise _Dies
        super().replace(path, data, mode=mode)


def test_a_rotation_that_dies_leaves_one_slot_that_opens(key: str, tmp_path: Path) -> None:
    for at in range(3):
        path = tmp_path / f"k{at}"
        keys = KeyStore.create(path, KmsHolder(key, ORIGIN), origin=ORIGIN)
        entries = [keys.obtain("subject", name, "2026-11") for name in ("maria", "piet")]
        keys.flush()
        keys.close()
        mortal = KeyStore.open(path, KmsHolder(), disk=_Mortal(at))
        with contextlib.suppress(_Dies):
            mortal.destroy([entries[0].id])
        again = KeyStore.open(path, KmsHolder())
        assert again.key(entries[1].id).key == entries[1].key
        again.close()


def test_no_kek_leaves_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://kms.example.org")
    with pytest.raises(KeyUnavailable, match="without TLS"):
        KmsHolder("alias/a", ORIGIN, KMS_REGION).seal(bytes(32), 1)


@pytest.mark.parametrize("sealed", [b"", b"{}", b"[1]", b'{"key":"a b","region":"r"}', b"\xff"])
def test_a_slot_that_is_none_is_refused(sealed: bytes) -> None:
    with pytest.raises(FormatError):
        KmsHolder().open(sealed, 1)


def test_what_can_not_name_a_key_is_refused() -> None:
    for given in (("alias/a b",), ("alias/a", ORIGIN, "EU CENTRAL")):
        with pytest.raises(UsageError):
            KmsHolder(*given)
