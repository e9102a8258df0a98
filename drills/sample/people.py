"""The people: any number of customers, each computed from its number, and a fixed staff.

Nobody is stored, so ten million records need no more memory than five thousand.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from drills.sample.dice import Dice
from drills.sample.grammar import raw_texts

_ODD = 0x9E3779B1  # odd, so multiplying modulo 2**32 gives every number another number
_SHARES = {"en": 38, "de": 30, "es": 10, "fr": 6, "zh": 6, "ar": 5, "ja": 5}
_LANGUAGES = tuple(language for language, share in _SHARES.items() for _ in range(share))
_FAMILY_FIRST = ("zh", "ja")


class Person(msgspec.Struct, frozen=True):
    """One customer.

    Attributes:
        number: position in the population, or below zero for people of the stories.
        first: given name, in their own script.
        last: family name.
        email: address on file.
        language: language they write in.
        city: where they live.
        street: street and number.
        user_id: id in the customer portal.
        customer: customer number.
        nickname: handle in the messaging channel.
    """

    number: int
    first: str
    last: str
    email: str
    language: str
    city: str
    street: str
    user_id: str
    customer: str
    nickname: str

    @property
    def name(self) -> str:
        """The name as it is written in the person's language."""
        if self.language in _FAMILY_FIRST:
            return f"{self.last}{self.first}"
        return f"{self.first} {self.last}"

    @property
    def bucket(self) -> int:
        """0 to 99: which side of a canary the person falls on."""
        return (self.number * _ODD >> 7) % 100

    @property
    def address(self) -> str:
        """Network address, in a documentation range."""
        mixed = (self.number * _ODD) & 0xFFFFFFFF
        if mixed % 3 == 0:
            return f"203.0.113.{mixed // 3 % 254 + 1}"
        return f"2001:db8:{mixed >> 16 & 0xFFFF:x}:{mixed & 0xFFFF:x}::{mixed % 9 + 1:x}"

    @property
    def iban(self) -> str:
        """An account that no bank can have issued: its check digits are 00."""
        mixed = (self.number * _ODD + 77) % 10**10
        digits = f"{mixed:010d}"
        return f"DE00 9999 {digits[:4]} {digits[4:8]} {digits[8:]}00 00"

    @property
    def phone(self) -> str:
        """A number from a range kept for fiction (Ofcom, Bundesnetzagentur)."""
        tail = (self.number * _ODD >> 9) % 1000
        return f"+49 30 23125 {tail:03d}" if self.language == "de" else f"+44 7700 900{tail:03d}"


class People:
    """The customers of one sample.

    Args:
        seed: seed of the sample.
        size: how many customers there are.
    """

    def __init__(self, seed: int, size: int) -> None:
        self.size = size
        self._shift = (seed * 0x85EBCA6B) & 0xFFFFFFFF

    def customer(self, number: int) -> Person:
        """The customer of that number."""
        mixed = (number * _ODD + self._shift) & 0xFFFFFFFF
        language = _LANGUAGES[mixed % 100]
        names = _names(language)
        first, first_latin = names["first"][(mixed >> 7) % len(names["first"])]
        last, last_latin = names["last"][(mixed >> 13) % len(names["last"])]
        handle = f"{first_latin}.{last_latin}"
        return Person(
            number=number,
            first=first,
            last=last,
            email=f"{handle}{number + 10}@{_MAIL[(mixed >> 19) % len(_MAIL)]}",
            language=language,
            city=names["city"][(mixed >> 21) % len(names["city"])],
            street=f"{names['street'][(mixed >> 17) % len(names['street'])]} {mixed % 97 + 1}",
            user_id=f"u-{mixed:08x}",
            customer=f"C-{700_000 + number}",
            nickname=f"{first_latin}_{last_latin[:3]}{number % 1000:03d}-{number // 1000}",
        )

    def someone(self, dice: Dice) -> Person:
        """A customer, regulars far more often than others."""
        return self.customer(dice.skewed(self.size))

    def anyone(self, dice: Dice) -> Person:
        """A customer, each as likely as the others."""
        return self.customer(dice.between(0, self.size - 1))


_MAIL = ("mail.example", "post.example", "inbox.example.net", "letters.example.org", "post.test")


@cache
def _names(language: str) -> Any:
    names = raw_texts("names")[language]
    return {
        "first": [tuple(entry.split("/")) for entry in names["first"].split()],
        "last": [tuple(entry.split("/")) for entry in names["last"].split()],
        "city": [entry.strip() for entry in names["city"].split(",")],
        "street": [entry.strip() for entry in names["street"].split(",")],
    }


class Colleague(msgspec.Struct, frozen=True):
    """One employee: name, work e-mail, what they do, office address."""

    name: str
    email: str
    role: str
    address: str


def staff(role: str) -> tuple[Colleague, ...]:
    """Everyone at Larkmoor who does `role`: support, code, legal, office, people, field."""
    return _staff()[role]


@cache
def _staff() -> dict[str, tuple[Colleague, ...]]:
    out: dict[str, tuple[Colleague, ...]] = {}
    for base, (role, names) in enumerate(raw_texts("names")["staff"].items()):
        rows = [entry.strip() for entry in names.split(",")]
        out[role] = tuple(
            Colleague(
                name,
                name.lower().replace(" ", ".").replace("ö", "o").replace("é", "e")
                + "@larkmoor.example",
                role,
                f"192.0.2.{40 + base * 30 + place}",
            )
            for place, name in enumerate(rows)
        )
    return out
