"""Heron, the staff search: embed the question, fetch pages, answer with citations."""

from __future__ import annotations

from drills.sample import knowledge
from drills.sample.apps.calling import chat, maybe_failed
from drills.sample.call import Call, Msg, Turn, Who, tokens
from drills.sample.company import APPS, SECOND
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import matching, texts
from drills.sample.people import Person, staff


def search(dice: Dice, about: Person, start_us: int, ask: str = "", plain: bool = False) -> Turn:
    """One search by a member of support, about a customer's affair.

    Args:
        dice: chance.
        about: the customer.
        start_us: when.
        ask: the question, word for word, or empty to draw one.
        plain: exactly three calls, no errors, no hanging up.
    """
    words = texts("office")["heron-search"]
    facts = facts_about(about, dice, "en")
    topic = dice.pick(knowledge.TOPICS)
    asked, replied = matching(words["ask"], words["answer"], dice)
    if ask:
        replied = words["answer"][-1]  # the one about a named customer
    question = ask or asked.render(facts, dice)
    pages = knowledge.retrieved(topic, start_us)
    ids = tuple(page.id for page in pages)
    embed = _embedding(dice, question, start_us)
    fetch = _retrieval(dice, question, pages, embed.end_us + 1500)
    shown = "\n".join(page.shown(start_us) for page in pages)
    system = Msg("system", dice.pick(words["system"]).render(facts, dice) + "\n" + shown)
    cited = f" [{', '.join(ids)}]" if ids else ""
    answer = Msg("assistant", replied.render(facts, dice) + cited)
    reply = chat(
        dice, "gpt-4o-mini", (system, Msg("user", question)), answer, fetch.end_us + 2000, not plain
    )
    calls = [embed, fetch, *([reply] if plain else maybe_failed(reply, dice))]
    for call in calls[1:]:
        call.documents = ids
    return Turn(APPS["heron-search"], _asker(dice), dice.hex(32), dice.hex(16), calls)


def _asker(dice: Dice) -> Who:
    person = dice.pick(staff("support"))
    return Who(person.email, f"hs-{dice.hex(12)}", person.address, "heron-ui/0.18", team="care")


def _embedding(dice: Dice, text: str, start_us: int) -> Call:
    model = "text-embedding-3-small"
    end = start_us + int(dice.spread(0.06, 0.4) * SECOND)
    return Call(
        operation="embeddings",
        span=dice.hex(16),
        start_us=start_us,
        end_us=end,
        provider="openai",
        model=model,
        served=model,
        messages=(Msg("user", text),),
        output=Msg("assistant"),
        tokens_in=tokens(text),
    )


def _retrieval(dice: Dice, text: str, pages: list[knowledge.Page], start_us: int) -> Call:
    found = "\n".join(page.shown(start_us) for page in pages)
    return Call(
        operation="retrieval",
        span=dice.hex(16),
        start_us=start_us,
        end_us=start_us + int(dice.spread(0.03, 0.5) * SECOND),
        provider="",
        model="",
        served="",
        messages=(Msg("user", text),),
        output=Msg("tool", found),
    )
