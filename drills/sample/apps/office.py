"""Back-office jobs and partners: one question, one answer, sometimes a follow-up."""

from __future__ import annotations

import msgspec

from drills.sample.apps.calling import chat, failed, maybe_failed
from drills.sample.call import OVERLOADED, THROTTLED, Call, Label, Msg, Turn, Who
from drills.sample.company import APPS, DATASETS, SECOND, support_version
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import matching, texts
from drills.sample.people import People, Person, staff

MODEL_OF = {
    "contract-reader": "claude-sonnet-4-5",
    "quill-letters": "gpt-4o-mini",
    "ledger-desk": "gpt-4o",
    "campaign-studio": "gpt-4o-mini",
    "people-desk": "claude-sonnet-4-5",
    "mail-triage": "gpt-4o-mini",
    "field-notes": "gpt-4o-mini",
    "insight-api": "larkmoor-support",
}
_ROLE_OF = {
    "contract-reader": "legal",
    "quill-letters": "support",
    "ledger-desk": "office",
    "campaign-studio": "office",
    "people-desk": "code",
    "mail-triage": "support",
    "field-notes": "field",
}
PARTNERS = (
    "tariffwise", "casa-verde", "hauskraft", "griddle-homes", "metermate", "sunny-side-up",
    "volt-and-co", "stromfuchs", "kilowatch", "ecohabitat", "plugpoint", "bluekettle",
    "nestwarm", "ampere-app", "solarcheck", "homeledger",
)  # fmt: skip


class Job(msgspec.Struct):
    """One back-office request.

    Attributes:
        app: application name, a key of `MODEL_OF`.
        start_us: when.
        about: the customer it concerns.
        who: identity, drawn from the staff by default.
        ask: the request, word for word, or empty to draw one.
        answer: the result, word for word, or empty to draw one.
        labels: labels of the call.
        plain: exactly one call, no errors.
    """

    app: str
    start_us: int
    about: Person
    who: Who | None = None
    ask: str = ""
    answer: str = ""
    labels: tuple[Label, ...] = ()
    plain: bool = False


def ambient(dice: Dice, people: People, start_us: int, app: str) -> list[Turn]:
    """An everyday job of that application."""
    return [do(dice, Job(app, start_us, people.someone(dice)))]


def do(dice: Dice, job: Job) -> Turn:
    """The job as a turn."""
    words = texts("office")[job.app]
    language = job.about.language if job.app == "quill-letters" else "en"
    facts = facts_about(job.about, dice, language)
    facts["name"] = job.about.name
    system = dice.pick(words["system"]).render(facts, dice)
    asked, replied = matching(words["ask"], words["answer"], dice)
    if job.ask:
        replied = words["answer"][0]
    ask = job.ask or asked.render(facts, dice)
    if job.app == "contract-reader" and not job.plain and dice.chance(0.05):
        ask = f"{ask}\n\n{_long_contract(dice)}"
    answer = Msg("assistant", job.answer or replied.render(facts, dice))
    messages = (Msg("system", system), Msg("user", ask))
    call = chat(dice, MODEL_OF[job.app], messages, answer, job.start_us, not job.plain)
    call.labels = job.labels
    who = job.who or _identity(dice, job)
    if job.app == "insight-api":
        _serve(call, job.start_us, who)
    calls = [call] if job.plain or job.app == "mail-triage" else _tries(call, dice, job.app)
    return Turn(APPS[job.app], who, dice.hex(32), dice.hex(16), calls, language)


def _tries(call: Call, dice: Dice, app: str) -> list[Call]:
    if app in {"contract-reader", "people-desk"} and dice.chance(0.02):
        first = failed(call, THROTTLED if app == "contract-reader" else OVERLOADED, dice)
        delay = first.end_us - first.start_us + 2 * SECOND
        call.start_us += delay
        call.end_us += delay
        return [first, call]
    return maybe_failed(call, dice)


def _serve(call: Call, when_us: int, who: Who) -> None:
    call.version = support_version("insight-api", when_us, len(who.key) * 7 % 100)
    call.datasets = DATASETS[call.version]
    call.served = f"larkmoor-support-{call.version}"


def _identity(dice: Dice, job: Job) -> Who:
    if job.app == "insight-api":
        return partner_identity(dice, PARTNERS[dice.skewed(len(PARTNERS), 1.8)])
    person = dice.pick(staff(_ROLE_OF[job.app]))
    session = f"{job.app[:2]}-{dice.hex(12)}"
    return Who(
        person.email, session, person.address, f"{job.app}/1", team=person.role, actor=job.app
    )


def partner_identity(dice: Dice, partner: str) -> Who:
    """A partner's server calling with its API key."""
    spot = sum(partner.encode()) % 200 + 20
    return Who(
        "", f"ia-{dice.hex(12)}", f"203.0.113.{spot}", "insight-sdk/2.1 (node)", partner, partner
    )


_CLAUSES = (
    "The supplier shall maintain the metering points in working order at its own cost.",
    "Prices may be adjusted once per calendar year within the limits of the consumer price index.",
    "Either party may terminate with three months' notice to the end of a quarter.",
    "Liability for slight negligence is limited to the foreseeable damage typical of the contract.",
    "Personal data of end customers are processed on documented instructions only.",
    "Force majeure suspends the duties of both parties for as long as it lasts.",
)


def _long_contract(dice: Dice) -> str:
    return "\n".join(
        f"{article}.{clause} {dice.pick(_CLAUSES)}"
        for article in range(1, 240)
        for clause in range(1, 7)
    )
