"""Sentences with choices: ``<a|b>`` picks one side, ``{slot}`` is filled from the session's facts.

Templates are compiled once; choices may hold slots but not further choices.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from drills.sample.dice import Dice

_TOKEN = re.compile(r"<([^<>]*\|[^<>]*)>|\{([a-z_]+)\}")


class Facts(dict[str, str]):
    """What a session is about: each fact is drawn when first named and then stays the same.

    Args:
        dice: where missing facts are drawn from.
        makers: how to make each fact.
        known: facts that are already fixed, such as the customer's name.
    """

    def __init__(
        self,
        dice: Dice,
        makers: Mapping[str, Callable[[Dice], str]],
        known: Mapping[str, str],
    ) -> None:
        super().__init__(known)
        self._dice = dice
        self._makers = makers

    def __missing__(self, name: str) -> str:
        value = self._makers[name](self._dice)
        self[name] = value
        return value


class Template:
    """One compiled template.

    Args:
        text: the template as written in a texts file.
    """

    __slots__ = ("_pieces",)

    def __init__(self, text: str) -> None:
        self._pieces = tuple(_pieces(text))

    def render(self, facts: Facts, dice: Dice) -> str:
        """The template as a sentence about `facts`."""
        out = []
        for kind, value in self._pieces:
            if kind == 0:
                out.append(value)
            elif kind == 1:
                out.append(facts[value])
            else:
                out.append(dice.pick(value).render(facts, dice))
        return "".join(out)


def _pieces(text: str) -> list[tuple[int, Any]]:
    pieces: list[tuple[int, Any]] = []
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() > at:
            pieces.append((0, text[at : match.start()]))
        if match.group(2) is not None:
            pieces.append((1, match.group(2)))
        else:
            pieces.append((2, tuple(Template(side) for side in match.group(1).split("|"))))
        at = match.end()
    if at < len(text):
        pieces.append((0, text[at:]))
    return pieces


def matching(
    questions: Sequence[Template], answers: Sequence[Template], dice: Dice
) -> tuple[Template, Template]:
    """A question and the answer that stands at the same place of its list."""
    place = int(dice.random() * len(questions))
    return questions[place], answers[place]


@cache
def texts(name: str) -> Any:
    """The texts file `name`, with every list of strings compiled into a tuple of templates."""
    return _compiled(raw_texts(name))


@cache
def raw_texts(name: str) -> Any:
    """The texts file `name` as it stands."""
    path = files("drills.sample").joinpath("texts", f"{name}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _compiled(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _compiled(value) for key, value in node.items()}
    if isinstance(node, list):
        return tuple(Template(item) for item in node)
    return node
