"""Nothing in a sample points at anybody: only example domains, documentation ranges, dead IBANs."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path

import pytest
from support.sample_reading import plain, protobuf

from .conftest import Sample

_DOCUMENTATION = [
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
# Names of a standard, not of a place to go to: the schema of OpenTelemetry's attributes.
_STANDARD = {"opentelemetry.io"}
_ENDINGS = (".example", ".test", "example.com", "example.org", "example.net")


@pytest.fixture(scope="module")
def text(sample: Sample) -> str:
    files = sorted(path for path in sample.root.rglob("*") if path.is_file())
    return "\n".join(readable(path) for path in files)


def readable(path: Path) -> str:
    if path.name.endswith(".pb.gz"):
        return json.dumps(protobuf(path), ensure_ascii=False)
    return plain(path).decode("utf-8", "replace")


def test_every_address_on_the_web_is_an_example(text: str) -> None:
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", text)) - _STANDARD
    assert hosts
    assert not [host for host in hosts if not host.endswith(_ENDINGS)]


def test_every_e_mail_is_an_example(text: str) -> None:
    domains = set(re.findall(r"[\w+-]@([A-Za-z][\w-]*(?:\.[\w-]+)+)", text))
    assert domains
    assert not [domain for domain in domains if not domain.endswith(_ENDINGS)]


def test_every_network_address_is_for_documentation(text: str) -> None:
    four = set(re.findall(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])", text))
    six = set(re.findall(r"2001:[0-9a-f:]+", text))
    found = [ipaddress.ip_address(address) for address in four | six]
    assert len(found) > 100
    strange = [a for a in found if not any(a in net for net in _DOCUMENTATION)]
    assert not strange


def test_every_iban_has_check_digits_no_bank_can_issue(text: str) -> None:
    ibans = re.findall(r"\b[A-Z]{2}\d{2}(?: \d{4}){3,}", text)
    assert ibans
    assert {iban[2:4] for iban in ibans} == {"00"}


def test_every_telephone_number_is_from_a_range_for_fiction(text: str) -> None:
    numbers = re.findall(r"\+\d\d [\d ]{8,}", text)
    assert numbers
    assert all(n.startswith(("+49 30 23125 ", "+44 7700 900")) for n in numbers)


def test_many_languages_are_spoken(text: str) -> None:
    for said in ("Rechnung", "factura", "facture", "账单", "فاتورة", "請求", "🙏"):
        assert text.count(said) > 5, said


def test_no_template_slot_was_left_open(text: str) -> None:
    left = set(re.findall(r"\{[a-z_]{3,}\}", text))
    assert not left
