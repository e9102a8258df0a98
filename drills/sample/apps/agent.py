"""Forge, the coding agent: plans, calls tools in the engineers' name, reports back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from drills.sample.apps.calling import chat, maybe_failed
from drills.sample.apps.support import tool_run
from drills.sample.call import Call, Label, Msg, ToolUse, Turn, Who
from drills.sample.company import APPS, SECOND
from drills.sample.dice import Dice
from drills.sample.facts import facts_about
from drills.sample.grammar import Facts, matching, raw_texts, texts
from drills.sample.people import Colleague, People, staff

TOOLS = ("create_merge_request", "edit_file", "read_file", "run_tests", "search_code")
OFFERED = (*TOOLS, "archive_branch", "delete_branch", "drop_table", "delete_page", "rotate_key")
_ARGUMENTS: dict[str, str] = raw_texts("tools")["forge"]
_RUNNERS = tuple(f"forge-agent-{n:02d}" for n in range(1, 9))


class Task(msgspec.Struct):
    """A piece of work for the agent.

    Attributes:
        who: identity behind it; `user` is empty when nobody asked.
        start_us: when it begins.
        ask: the instruction.
        steps: (tool, arguments, result), in order.
        done: the closing words.
        label: label of its tool runs, if any.
        logged: whether the provider's region keeps an invocation log.
    """

    who: Who
    start_us: int
    ask: str
    steps: Sequence[tuple[str, str, str]]
    done: str
    label: Label | None = None
    logged: bool = False


def engineer_identity(dice: Dice, engineer: Colleague) -> Who:
    """The agent working for an engineer in the office."""
    return Who(
        engineer.email,
        f"fx-{dice.hex(14)}",
        engineer.address,
        "forge-cli/3.4.1",
        team="engineering",
        actor=dice.pick(_RUNNERS),
    )


def everyday(dice: Dice, people: People, start_us: int) -> Turn:
    """An engineer's ordinary task."""
    words = texts("forge")
    facts = facts_about(people.customer(0), dice, "en")
    asked, done = matching(words["ask"], words["done"], dice)
    steps = [_step(name, facts, dice) for name in _tool_walk(dice)]
    return run(
        dice,
        Task(
            who=engineer_identity(dice, dice.pick(staff("code"))),
            start_us=start_us,
            ask=asked.render(facts, dice),
            steps=steps,
            done=done.render(facts, dice),
            logged=dice.chance(0.25),
        ),
        facts,
    )


def _tool_walk(dice: Dice) -> tuple[str, ...]:
    middle = tuple(
        dice.pick(("read_file", "edit_file", "run_tests")) for _ in range(dice.between(0, 2))
    )
    last = ("run_tests", "create_merge_request") if dice.chance(0.4) else ("run_tests",)
    return (dice.pick(("read_file", "search_code")), *middle, *last)


def _step(name: str, facts: Facts, dice: Dice) -> tuple[str, str, str]:
    result = dice.pick(texts("forge")["result"][name]).render(facts, dice)
    return name, _ARGUMENTS[name] % facts, result


def run(dice: Dice, task: Task, facts: Facts) -> Turn:
    """A task as a trace: think, call a tool, think again, until done."""
    words = texts("forge")
    history = [
        Msg("system", dice.pick(words["system"]).render(facts, dice)),
        Msg("user", task.ask),
    ]
    calls: list[Call] = []
    clock = task.start_us
    for place, (name, arguments, result) in enumerate(task.steps):
        use = ToolUse(f"toolu_01{dice.hex(20)}", name, arguments)
        said = dice.pick(words["step" if place else "plan"]).render(facts, dice)
        asked = Msg("assistant", said if dice.chance(0.7) else "", (use,))
        thought = chat(dice, "claude-sonnet-4-5", tuple(history), asked, clock, cut=False)
        ran = tool_run(dice, use, result, thought.end_us + 3000)
        if task.label:
            ran.labels = (task.label,)
        calls += [thought, ran]
        history += [asked, Msg("tool", result, use_id=use.id)]
        clock = ran.end_us + int(dice.spread(0.3, 0.4) * SECOND)
    last = chat(
        dice, "claude-sonnet-4-5", tuple(history), Msg("assistant", task.done), clock, cut=False
    )
    calls += [last] if task.label else maybe_failed(last, dice)
    for call in calls:
        if call.operation == "chat":
            call.tools = OFFERED
    also = ("bedrock",) if task.logged else ()
    return Turn(APPS["forge-agent"], task.who, dice.hex(32), dice.hex(16), calls, "en", also)


def call_count(steps: int) -> int:
    """How many calls a labelled task with that many steps makes."""
    return 2 * steps + 1
