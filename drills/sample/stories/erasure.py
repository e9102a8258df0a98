"""A customer who will ask for erasure: known under several names, mentioned by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from drills.sample.apps.office import Job, do
from drills.sample.apps.search import search
from drills.sample.apps.support import Case, hold
from drills.sample.call import Label, Turn
from drills.sample.company import END, START, at
from drills.sample.dice import Dice
from drills.sample.people import People, Person
from drills.sample.stories.plot import Session, Story, in_order
from drills.sample.traffic import moments

ID = "erasure-request"
INES = Person(
    number=-1,
    first="Ines",
    last="Falkenrath",
    email="ines.falkenrath@mail.example",
    language="de",
    city="Neuhafen",
    street="Lerchenweg 17",
    user_id="u-5e1f0a9c",
    customer="C-611204",
    nickname="inesfk",
)
NAMESAKE = Person(
    number=-2,
    first="Ines",
    last="Falkenrath",
    email="ines.falkenrath77@post.example",
    language="de",
    city="Kirchau",
    street="Im Winkel 4",
    user_id="u-c07d4b21",
    customer="C-648830",
    nickname="falkenrath.i",
)
# (what others ask, what they are told)
_MENTIONS = (
    (
        "my tenant Ines Falkenrath (Lerchenweg 17, Neuhafen) moved out, who reads the meter?",
        "You as landlord can send the reading of the day of the keys; I noted that she moves.",
    ),
    (
        "Please add Ines Falkenrath as second contact, her mail is ines.falkenrath@mail.example",
        "Done, we may now speak to Ines Falkenrath about your contract.",
    ),
    (
        "My neighbour Ines Falkenrath from Neuhafen recommended you, is there a bonus?",
        "Yes, 25 euros for you and for Ms Falkenrath with your first bill.",
    ),
    (
        "I paid by mistake for customer C-611204 (Ms Falkenrath, Neuhafen), can you move it?",
        "I have asked billing to move the payment from C-611204 to your account.",
    ),
    (
        "inesfk from the messaging group said her refund took ten days, is that normal?",
        "Ten working days are the longest it should take.",
    ),
)


def plan(seed: int, people: People, _records: int) -> Story:
    """One person's traces; they do not grow with the sample, because she does not."""
    makers: list[tuple[int, Callable[[Dice, int, int], Session]]] = [
        (5, lambda dice, _, when: _own(dice, when, INES, "wren-web", "own")),
        (2, lambda dice, _, when: _guest(dice, when)),
        (6, lambda dice, _, when: _own(dice, when, INES, "wren-messaging", "own")),
        (4, lambda dice, _, when: _own(dice, when, NAMESAKE, "wren-web", "namesake")),
        (2, lambda dice, _, when: _own(dice, when, NAMESAKE, "wren-messaging", "namesake")),
        (len(_MENTIONS), lambda dice, place, when: _mention(dice, people, place, when)),
        (2, lambda dice, place, when: _letter(dice, when, (INES, NAMESAKE)[place])),
        (1, lambda dice, _, when: _note(dice, when)),
    ]
    streams = [
        _stream(Dice(seed, ID, place), count, make) for place, (count, make) in enumerate(makers)
    ]
    single = sum(count for count, _ in makers)
    return Story(
        id=ID,
        total=single + 1 + 3,
        sessions=in_order(*streams, _mail(Dice(seed, ID, "mail")), _lookup(Dice(seed, ID, "look"))),
        answers={
            "name": INES.name,
            "identifiers": [INES.user_id, INES.email, INES.nickname, INES.customer],
            "namesake_identifiers": [NAMESAKE.user_id, NAMESAKE.email, NAMESAKE.nickname],
        },
        people_roles=("own",),
    )


def _stream(dice: Dice, count: int, make: Callable[[Dice, int, int], Session]) -> Iterator[Session]:
    for place, when in enumerate(moments(dice, count, START, END)):
        yield make(dice, place, when)


def _own(dice: Dice, when: int, person: Person, channel: str, role: str) -> Session:
    case = Case(person, when, channel, plain=True, labels=(Label(ID, role),))
    return when, hold(dice, case)


def _guest(dice: Dice, when: int) -> Session:
    """Not logged in, she is known by the e-mail she typed."""
    case = Case(INES, when, "wren-web", user=INES.email, plain=True)
    case.labels = (Label(ID, "own"),)
    return when, hold(dice, case)


def _mention(dice: Dice, people: People, place: int, when: int) -> Session:
    channel = "wren-web" if place % 2 else "wren-messaging"
    case = Case(people.anyone(dice), when, channel, language="en", plain=True)
    case.topic = "refund"
    case.ask, case.answer = _MENTIONS[place]
    case.labels = (Label(ID, "mentioned-by-others"),)
    return when, hold(dice, case)


def _letter(dice: Dice, when: int, person: Person) -> Session:
    role = "about" if person is INES else "namesake"
    job = Job("quill-letters", when, person, labels=(Label(ID, role),), plain=True)
    job.ask = (
        f"Draft a friendly reminder to {person.name}, customer {person.customer}, €84.20 open."
    )
    return when, [do(dice, job)]


def _note(dice: Dice, when: int) -> Session:
    job = Job("field-notes", when, INES, labels=(Label(ID, "about"),), plain=True)
    job.ask = (
        "Lerchenweg 17 Neuhafen, seal was broken, meter swapped, Ines Falkenrath present, 2 hours"
    )
    return when, [do(dice, job)]


def _mail(dice: Dice) -> Iterator[Session]:
    when = at(8, 2, 20)
    job = Job("mail-triage", when, INES, labels=(Label(ID, "about"),), plain=True)
    job.ask = (
        "From: ines.falkenrath@mail.example\nSubject: Zählerwechsel\n\nGuten Tag, bitte nennen Sie "
        "mir den neuen Zählerstand. Ines Falkenrath, Lerchenweg 17, Neuhafen"
    )
    job.answer = (
        '{"topic":"meter","urgency":2,"language":"de",'
        '"summary":"Ines Falkenrath asks for the reading of her new meter."}'
    )
    yield when, [do(dice, job)]


def _lookup(dice: Dice) -> Iterator[Session]:
    when = at(10, 10, 12)
    ask = "customer Ines Falkenrath C-611204 asks about a goodwill credit, what is our rule?"
    turn: Turn = search(dice, INES, when, ask, plain=True)
    for call in turn.calls:
        call.labels = (Label(ID, "about"),)
    yield when, [turn]
