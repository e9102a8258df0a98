"""What every story has: a name, a size, sessions in order of time, and the answers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator

import msgspec

from drills.sample.call import Turn

Session = tuple[int, list[Turn]]


class Story(msgspec.Struct):
    """One story.

    Attributes:
        id: its name in the truth file.
        total: how many calls it adds.
        sessions: its sessions, in order of their start.
        answers: what an investigator should find, known from the plan.
        people_roles: roles whose users are listed in the truth file.
    """

    id: str
    total: int
    sessions: Iterator[Session]
    answers: dict[str, object]
    people_roles: tuple[str, ...]


def scaled(base: int, records: int) -> int:
    """How often something happens in a sample of `records`, `base` times in one of 5,000.

    Grows slower than the traffic: in a large sample the needle is harder to find.
    """
    return max(2, round(base * math.pow(records / 5000, 0.75)))


def in_order(*streams: Iterable[Session]) -> Iterator[Session]:
    """Several streams of sessions as one, by start."""
    return heapq.merge(*streams, key=lambda session: session[0])
