"""What a conversation is about: amounts, dates, meters, files. Drawn once, then kept."""

from __future__ import annotations

from collections.abc import Callable

from drills.sample.dice import Dice
from drills.sample.grammar import Facts
from drills.sample.people import Person, staff

_MONTHS = {
    "en": ("August", "September", "October"),
    "de": ("August", "September", "Oktober"),
    "es": ("agosto", "septiembre", "octubre"),
    "fr": ("août", "septembre", "octobre"),
    "zh": ("八月", "九月", "十月"),
    "ar": ("أغسطس", "سبتمبر", "أكتوبر"),
    "ja": ("8月", "9月", "10月"),
}
_SUPPLIERS = ("Nordhaven Grid GmbH", "Tessel Metering", "Windhof Ellin KG", "Kabelwerk Altmoor")
_REPOS = ("tariff-engine", "billing-core", "meter-inbox", "wren-backend", "portal-web", "grid-map")
_FILES = ("src/rates.py", "src/inbox/reader.py", "app/mandates.ts", "lib/outage.go", "src/sync.py")
_FUNCTIONS = ("round_reading", "next_debit", "merge_rows", "parse_tariff", "load_calendar")
_SERVICES = ("mandate-store", "outage-feed", "price-feed", "meter-gateway", "letter-queue")
_TESTS = ("test_leap_day_bill", "test_reading_order", "test_mandate_retry", "test_price_gap")
_LIBRARIES = ("httpkit", "datelib", "queuebox", "tablekit")


def _euro(dice: Dice, low: int, high: int) -> str:
    return f"{dice.between(low, high)},{dice.between(0, 99):02d} €"


def _dollarless(dice: Dice, low: int, high: int) -> str:
    return f"€{dice.between(low, high)}.{dice.between(0, 99):02d}"


_MAKERS: dict[str, Callable[[Dice], str]] = {
    "amount": lambda dice: _dollarless(dice, 48, 890),
    "amount_b": lambda dice: _dollarless(dice, 9, 120),
    "month": lambda dice: dice.pick(_MONTHS["en"]),
    "date": lambda dice: f"{dice.between(16, 30)} November",
    "invoice": lambda dice: f"LK-{dice.between(100000, 999999)}",
    "kwh": lambda dice: str(dice.between(120, 5200)),
    "reading": lambda dice: str(dice.between(10000, 98000)),
    "meter": lambda dice: f"1LKM{dice.between(1000000, 9999999)}",
    "tariff": lambda dice: dice.pick(("Larkmoor Steady", "Larkmoor Breeze", "Larkmoor Sun+")),
    "price": lambda dice: f"{dice.between(27, 39)}.{dice.between(0, 9)}",
    "days": lambda dice: str(dice.between(2, 6)),
    "hour": lambda dice: str(dice.between(6, 22)),
    "ticket": lambda dice: f"CASE-{dice.between(10000, 99999)}",
    "device": lambda dice: f"WB11-{dice.hex(6)}",
    "colleague": lambda dice: dice.pick(staff("support")).name,
    "clause": lambda dice: f"{dice.between(3, 19)}.{dice.between(1, 6)}",
    "supplier": lambda dice: dice.pick(_SUPPLIERS),
    "contract": lambda dice: f"V-{dice.between(2019, 2026)}-{dice.between(100, 999)}",
    "repo": lambda dice: dice.pick(_REPOS),
    "file": lambda dice: dice.pick(_FILES),
    "function": lambda dice: dice.pick(_FUNCTIONS),
    "service": lambda dice: dice.pick(_SERVICES),
    "test": lambda dice: dice.pick(_TESTS),
    "library": lambda dice: dice.pick(_LIBRARIES),
    "release": lambda dice: f"{dice.between(2, 5)}.{dice.between(0, 30)}.{dice.between(0, 9)}",
}


def _localised(language: str) -> dict[str, Callable[[Dice], str]]:
    if language == "en":
        return _MAKERS
    makers = dict(_MAKERS)
    makers["month"] = lambda dice: dice.pick(_MONTHS[language])
    if language in {"zh", "ja"}:
        makers["date"] = lambda dice: f"11月{dice.between(16, 30)}日"
    elif language == "ar":
        makers["date"] = lambda dice: f"{dice.between(16, 30)} نوفمبر"
    else:
        makers["date"] = lambda dice: f"{dice.between(16, 30)}.11.2026"
        makers["amount"] = lambda dice: _euro(dice, 48, 890)
        makers["amount_b"] = lambda dice: _euro(dice, 9, 120)
    return makers


_BY_LANGUAGE = {language: _localised(language) for language in _MONTHS}


def facts_about(person: Person, dice: Dice, language: str | None = None) -> Facts:
    """Facts of a session about `person`, in their language unless another is named."""
    known = {
        "first": person.first,
        "name": person.name,
        "email": person.email,
        "cust": person.customer,
        "street": person.street,
        "city": person.city,
        "iban": person.iban,
        "phone": person.phone,
    }
    return Facts(dice, _BY_LANGUAGE[language or person.language], known)
