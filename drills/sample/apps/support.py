"""Customers talking to Wren, on the web and in the messaging channel."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drills.sample import knowledge
from drills.sample.apps.calling import chat, maybe_failed
from drills.sample.call import Call, Label, Msg, ToolUse, Turn, Who
from drills.sample.company import APPS, DATASETS, FINGERPRINTS, SECOND, support_version
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import Template, matching, raw_texts, texts
from drills.sample.people import Person

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 16) Chrome/142.0 Mobile",
    "LarkmoorApp/7.4 (Android 15)",
    "LarkmoorApp/7.4 (iOS 19.1)",
)
_TOOLS = {
    topic: (tool["name"], tool["arguments"], tool["result"])
    for topic, tool in raw_texts("tools")["support"].items()
}
OFFERED = tuple(sorted(tool[0] for tool in _TOOLS.values()))
_TOPIC_WEIGHT = (
    "bill", "bill", "bill", "meter", "meter", "move", "tariff", "tariff", "outage", "debit",
    "account", "refund", "wallbox", "solar", "cancel", "complaint",
)  # fmt: skip


class Case(msgspec.Struct):
    """One conversation to be held; what is left open is drawn.

    Attributes:
        person: the customer.
        start_us: when it begins.
        channel: wren-web or wren-messaging.
        topic: what it is about.
        language: language spoken, the person's own by default.
        version: support model version, by roll-out by default.
        ask: the first question, word for word.
        answer: the first answer, word for word.
        tail: what is put behind the first answer.
        turns: how many questions are asked.
        labels: labels of the answer to the first question.
        user: identity the channel shows instead of the usual one.
        plain: exactly one call per turn, no tools, no errors, no hanging up.
    """

    person: Person
    start_us: int
    channel: str = "wren-web"
    topic: str = ""
    language: str = ""
    version: str = ""
    ask: str = ""
    answer: str = ""
    tail: str = ""
    turns: int = 0
    labels: tuple[Label, ...] = ()
    user: str = ""
    plain: bool = False


def topic_for(dice: Dice, language: str) -> str:
    """A topic people ask about, among those written down for `language`."""
    topic = dice.pick(_TOPIC_WEIGHT)
    return topic if topic in texts(f"support_{language}") else dice.pick(("bill", "meter"))


def ambient(dice: Dice, person: Person, start_us: int, channel: str) -> list[Turn]:
    """An everyday conversation."""
    case = Case(person, start_us, channel, turns=1 + min(4, int(dice.spread(1.1, 0.7))))
    if person.language != "en" and dice.chance(0.04):
        case.language = "en"
    return hold(dice, case)


def hold(dice: Dice, case: Case) -> list[Turn]:
    """The conversation as turns, one per question."""
    talk = _Talk(dice, case)
    turns = []
    for number in range(case.turns or 1):
        turns.append(talk.turn(number))
        if talk.over:
            break
    return turns


class _Talk:
    """A conversation in progress: its facts, its history, its clock."""

    def __init__(self, dice: Dice, case: Case) -> None:
        self.dice = dice
        self.case = case
        person = case.person
        self.language = case.language or person.language
        self.words = texts(f"support_{self.language}")
        case.topic = case.topic or topic_for(dice, self.language)
        if case.topic not in self.words:
            case.topic = "bill"
        self.facts = facts_about(person, dice, self.language)
        self.clock = case.start_us
        self.app = APPS[case.channel]
        user = case.user or (person.user_id if case.channel == "wren-web" else person.nickname)
        self.who = Who(
            user=user,
            session=f"s-{dice.hex(16)}",
            address=person.address,
            agent=_AGENTS[person.number % len(_AGENTS)],
            key=case.channel if case.channel == "wren-messaging" else "",
            team="customer-care",
        )
        self.version = case.version or support_version(case.channel, case.start_us, person.bucket)
        self.over = False
        self.history: list[Msg] = []
        self.rest: list[tuple[Template, Template]] = []
        self.reply: Template = self.words[case.topic]["answer"][0]
        self.traced = case.channel == "wren-messaging" and dice.chance(0.12)

    def turn(self, number: int) -> Turn:
        """Question `number` and everything it causes."""
        dice, case = self.dice, self.case
        if number == 1:
            self.rest = self._follow_ups()
        near = number == case.turns - 1 and dice.chance(0.5)
        last = self.over = number > 0 and (near or not self.rest)
        self.history.append(Msg("user", self._question(number, last)))
        pages = () if last else self._pages()
        calls = self._calls(number, last, pages)
        turn = Turn(
            self.app,
            self.who,
            dice.hex(32),
            dice.hex(16),
            calls,
            self.language,
            ("otlp-protobuf",) if self.traced else (),
        )
        self.clock = turn.end_us + int(dice.spread(38, 0.5) * SECOND)
        return turn

    def _follow_ups(self) -> list[tuple[Template, Template]]:
        """Further questions with their answers, none twice, in any order."""
        topic = self.words[self.case.topic]
        pairs = list(zip(topic["more"], topic["then"], strict=True))
        turned = int(self.dice.random() * len(pairs))
        return pairs[turned:] + pairs[:turned]

    def _say(self, choices: Sequence[Template]) -> str:
        return self.dice.pick(choices).render(self.facts, self.dice)

    def _question(self, number: int, last: bool) -> str:
        if number == 0 and self.case.ask:
            return self.case.ask
        if last:
            return self._say(self.words["close_ask"])
        topic = self.words[self.case.topic]
        if number:
            asked, self.reply = self.rest.pop()
            return asked.render(self.facts, self.dice)
        asked, self.reply = matching(topic["ask"], topic["answer"], self.dice)
        parts = (
            self._say(self.words["hello"]),
            asked.render(self.facts, self.dice),
            self._say(self.words["sign"]),
        )
        return " ".join(part for part in parts if part)

    def _answer(self, number: int, last: bool) -> str:
        if last:
            return self._say(self.words["close"])
        if number == 0 and self.case.answer:
            return self.case.answer + self.case.tail
        said = self.reply.render(self.facts, self.dice)
        return said if number else said + self.case.tail

    def _pages(self) -> Sequence[knowledge.Page]:
        return knowledge.retrieved(self.case.topic, self.clock)

    def _system(self, pages: Sequence[knowledge.Page]) -> Msg:
        text = self._say(self.words["system"])
        if pages:
            shown = "\n".join(page.shown(self.clock) for page in pages)
            text = f"{text}\nKnowledge base:\n{shown}"
        return Msg("system", text)

    def _calls(self, number: int, last: bool, pages: Sequence[knowledge.Page]) -> list[Call]:
        dice = self.dice
        system = self._system(pages)
        calls: list[Call] = []
        tool = _TOOLS.get(self.case.topic)
        if tool and not last and not self.case.plain and dice.chance(0.3):
            calls = self._with_tool(tool, system)
        answer = Msg("assistant", self._answer(number, last))
        start = (
            calls[-1].end_us + 4000 if calls else self.clock + int(dice.spread(0.12, 0.3) * SECOND)
        )
        final = chat(
            dice, "larkmoor-support", (system, *self.history), answer, start, not self.case.plain
        )
        tried = [final] if self.case.plain else maybe_failed(final, dice)
        self.history.append(tried[-1].output)
        calls.extend(tried)
        for call in calls:
            self._dress(call, pages)
        final.labels = self._labels(number, pages, final)
        return [call for call in calls if self._seen(call)]

    def _labels(
        self, number: int, pages: Sequence[knowledge.Page], final: Call
    ) -> tuple[Label, ...]:
        if number == 0 and self.case.labels:
            return self.case.labels
        poisoned = self.clock >= knowledge.EDITED and any(p.id == knowledge.CARRIER for p in pages)
        return (Label("kb-image-leak", "exposed"),) if poisoned and not final.failure else ()

    def _seen(self, call: Call) -> bool:
        """A gateway sees model calls only; tools run elsewhere."""
        return self.case.channel == "wren-web" or call.operation == "chat"

    def _dress(self, call: Call, pages: Sequence[knowledge.Page]) -> None:
        if call.operation != "chat":
            return
        call.version = self.version
        call.datasets = DATASETS[self.version]
        call.tools = OFFERED
        call.documents = tuple(page.id for page in pages)
        if not call.failure:
            call.served = f"larkmoor-support-{self.version}"

    def _with_tool(self, tool: tuple[str, str, str], system: Msg) -> list[Call]:
        dice = self.dice
        name, arguments, result = tool
        use = ToolUse(f"call_{dice.hex(24)}", name, arguments % self.facts)
        asked = Msg("assistant", "", (use,))
        start = self.clock + int(dice.spread(0.12, 0.3) * SECOND)
        first = chat(dice, "larkmoor-support", (system, *self.history), asked, start)
        found = Msg("tool", result % self.facts, use_id=use.id)
        self.history.extend((asked, found))
        return [first, tool_run(dice, use, found.text, first.end_us + 2000)]


def tool_run(dice: Dice, use: ToolUse, result: str, start_us: int) -> Call:
    """The run of a tool that a model asked for."""
    return Call(
        operation="execute_tool",
        span=dice.hex(16),
        start_us=start_us,
        end_us=start_us + int(dice.spread(0.09, 0.6) * SECOND),
        provider="",
        model="",
        served="",
        messages=(),
        output=Msg("tool", result, use_id=use.id),
        tool=use,
    )


def fingerprint(version: str) -> str:
    """Backend build of a support model version."""
    return FINGERPRINTS.get(version, "fp_560af6e559")
