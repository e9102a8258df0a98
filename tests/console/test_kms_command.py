"""`aircon init --kms-key`: no passphrase, and every command opens the key store through KMS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.commands import Aircon, line
from support.s3_fixtures import KMS_REGION

from logstore.keys.keystore import holder_name


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
