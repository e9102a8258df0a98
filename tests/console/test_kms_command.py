"""`aircon init --kms-key`: no passphrase, and every command opens the key store through KMS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.commands import Aircon, line
from support.roles import FOLDER, allowed
from support.s3_fixtures import KMS_REGION
from support.supplementing import destroy

from logstore.keys.keystore import KeyStore, holder_name
from logstore.keys.kmsholder import KmsHolder, connect
from logstore.storage.log import Log, Options


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def test_a_store_that_a_kms_key_opens_is_used_without_a_passphrase(
    kms: Any, store: Path, aircon: Aircon, tmp_path: Path
) -> None:
    key = kms.create_key()["KeyMetadata"]["Arn"]
    logs = tmp_path / "logs.jsonl"
    logs.write_text(line("refund policy?", "Thirty days.", "maria") + "\n")
    assert aircon("init", "--kms-key", key).code == 0
    assert holder_name(store.with_name("evidence.keys")) == "aws-kms"
    assert aircon("import", str(logs)).code == 0
    found = aircon("search", "refund", "--json")
    assert (found.code, len(found.objects)) == (0, 1)
    assert aircon("verify", "--content").code == 0
    checks = {row["check"]: row for row in aircon("doctor", "--json").objects}
    assert checks["KMS key"]["state"] == "ok"
    assert "passphrase" not in checks


def test_commands_call_what_docs_iam_allows(
    kms: Any, store: Path, aircon: Aircon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: set[str] = set()

    def listening(key: str, region: str | None) -> Any:
        client = connect(key, region)
        client.meta.events.register(
            "before-call.kms", lambda model, **_: called.add(f"kms:{model.name}")
        )
        return client

    def policy(name: str) -> set[str]:
        return set(allowed(json.loads((FOLDER / f"{name}.json").read_text("utf-8"))))

    monkeypatch.setattr("logstore.keys.kmsholder.connect", listening)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    logs = tmp_path / "logs.jsonl"
    logs.write_text(line("refund policy?", "Thirty days.", "maria") + "\n")
    assert aircon("init", "--kms-key", key).code == 0
    assert called == policy("key-store-renew")
    called.clear()
    for words in (("import", str(logs)), ("seal",), ("search", "refund"), ("verify", "--content")):
        assert aircon(*words).code == 0
    assert called == policy("key-store-open")
    called.clear()
    keys = KeyStore.open(store.with_name("evidence.keys"), KmsHolder())
    with Log.open(store, keys, options=Options(protect=False)) as log:
        destroy(log, "maria", "subject")
    keys.close()
    assert called == policy("key-store-renew")


def test_a_key_that_is_not_there_makes_nothing(kms: Any, store: Path, aircon: Aircon) -> None:
    refused = aircon("init", "--kms-key", "alias/nobody", "--kms-region", KMS_REGION)
    assert refused.code == 2
    assert "has no key alias/nobody" in refused.err
    assert list(store.parent.glob("evidence*")) == []


def test_a_key_and_a_passphrase_are_one_too_many(kms: Any, store: Path, aircon: Aircon) -> None:
    for words in (
        ("--kms-key", "alias/a", "--insecure-no-passphrase"),
        ("--kms-region", KMS_REGION, "--insecure-no-passphrase"),
    ):
        assert aircon("init", *words).code == 3
    assert not store.exists()
