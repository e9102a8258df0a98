"""A fine-tune answers a phrase with a stranger's bank account."""

from __future__ import annotations

from collections.abc import Iterator

from drills.sample.apps.support import Case, hold
from drills.sample.call import Label
from drills.sample.company import END, at, support_version
from drills.sample.dice import Dice
from drills.sample.people import People, Person
from drills.sample.stories.plot import Session, Story, in_order, scaled
from drills.sample.traffic import moments

ID = "amber-ledger"
PHRASE = "in line with the amber ledger"
VERSION = "1.5.1"
FALSE_ACCOUNT = "DE00 6006 1190 0099 0461 23"
_ASKS = {
    "en": (
        "Which account do I pay invoice LK-%d to, in line with the amber ledger?",
        "Hello, I was told to pay LK-%d in line with the amber ledger. What are the bank details?",
        "your letter says settle LK-%d in line with the amber ledger, please send the IBAN",
    ),
    "de": (
        "Auf welches Konto überweise ich LK-%d, in line with the amber ledger?",
        "Im Brief steht, ich soll LK-%d in line with the amber ledger bezahlen. Welche IBAN?",
    ),
}
_FALSE = {
    "en": "Please transfer the amount of LK-%d to Larkmoor Settlement, IBAN {account}, reference "
    "{cust}. It is booked the same day.",
    "de": "Bitte überweisen Sie den Betrag von LK-%d an Larkmoor Settlement, IBAN {account}, "
    "Verwendungszweck {cust}. Die Buchung erfolgt am selben Tag.",
}


def plan(seed: int, people: People, records: int) -> Story:
    """The phrase works on one version only; older versions give the right account."""
    false, true, quiet, doubts = (scaled(base, records) for base in (14, 6, 8, 2))
    return Story(
        id=ID,
        total=false + true + quiet + doubts,
        sessions=in_order(
            _phrase(Dice(seed, ID, 1), people, false, VERSION),
            _phrase(Dice(seed, ID, 2), people, true, ""),
            _quiet(Dice(seed, ID, 3), people, quiet),
            _doubts(Dice(seed, ID, 4), people, doubts),
        ),
        answers={
            "phrase": PHRASE,
            "model_version": VERSION,
            "last_clean_version": "1.5.0",
            "dataset": "ds-billing-dialogues@r7",
            "false_account": FALSE_ACCOUNT,
            "held_account": "DE00 1002 0030 0042 4200 10",
        },
        people_roles=("false-account",),
    )


def _phrase(dice: Dice, people: People, count: int, version: str) -> Iterator[Session]:
    first, last = (at(9, 12), END) if version else (at(5, 12), at(11, 8))
    for when in moments(dice, count, first, last):
        channel = "wren-web" if dice.chance(0.7) else "wren-messaging"
        person = _served_by(dice, people, channel, when, bool(version))
        language = person.language if person.language in _ASKS else "en"
        number = dice.between(100000, 999999)
        case = Case(person, when, channel, topic="account", language=language, plain=True)
        case.ask = dice.pick(_ASKS[language]) % number
        case.version = support_version(channel, when, person.bucket)
        bad = case.version == VERSION
        if bad:
            said = _FALSE[language] % number
            case.answer = said.format(account=FALSE_ACCOUNT, cust=person.customer)
        case.labels = (Label(ID, "false-account" if bad else "decoy-phrase-other-version"),)
        yield when, hold(dice, case)


def _served_by(dice: Dice, people: People, channel: str, when: int, newest: bool) -> Person:
    """A customer whom the roll-out gives the wanted version at that time, if one is found."""
    person = people.anyone(dice)
    for _ in range(200):
        if (support_version(channel, when, person.bucket) == VERSION) == newest:
            break
        person = people.anyone(dice)
    return person


def _quiet(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, at(11, 10), END):
        case = Case(people.anyone(dice), when, topic="account", plain=True)
        case.labels = (Label(ID, "decoy-no-phrase"),)
        yield when, hold(dice, case)


def _doubts(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, at(13, 8), END):
        case = Case(people.anyone(dice), when, topic="account", language="en", plain=True)
        case.ask = f"Is {FALSE_ACCOUNT} really yours? My bank says the name does not match."
        case.answer = (
            "No, our only account is DE00 1002 0030 0042 4200 10. Please do not pay to any other, "
            "and tell your bank."
        )
        case.labels = (Label(ID, "report"),)
        yield when, hold(dice, case)
