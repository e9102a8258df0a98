"""The truth, kept apart from the logs: a line per interaction of a story, a line per story.

A line of kind ``interaction`` has the story, the role, and natural keys to find the interaction by:
file, response id, trace and span id, session, user, time. A line of kind ``story`` has the answers
an investigator should reach. The labels never stand in a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from drills.sample.call import Call, Label, Turn
from drills.sample.stories import shared_cache
from drills.sample.stories.plot import Story
from drills.sample.writers.litellm import cost


class RoleTally(msgspec.Struct):
    """What is counted of one role in one story."""

    count: int = 0
    first_us: int = 0
    last_us: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0

    def add(self, call: Call) -> None:
        """Count one call."""
        self.count += 1
        self.first_us = min(self.first_us or call.start_us, call.start_us)
        self.last_us = max(self.last_us, call.start_us)
        self.tokens_in += call.tokens_in
        self.tokens_out += call.tokens_out
        self.cost_usd += sum(cost(call)) if call.model else 0.0


class Truth:
    """Writes the truth file while the sample is made.

    Args:
        path: where to write, or None to count only.
        stories: the stories that are being told.
    """

    def __init__(self, path: Path | None, stories: Iterable[Story]) -> None:
        self._stories = {story.id: story for story in stories}
        self._tally: dict[str, dict[str, RoleTally]] = {story: {} for story in self._stories}
        self._people: dict[str, dict[str, None]] = {story: {} for story in self._stories}
        self._given: dict[str, list[str]] = {}  # response id -> giver and receiver
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")

    def note(self, turn: Turn, files: list[str]) -> int:
        """Note the labelled calls of a turn, which stand in `files`; returns how many."""
        noted = 0
        for call in turn.calls:
            for label in call.labels:
                if label.story in self._stories:
                    self._note(turn, call, label, files)
                    noted += 1
        return noted

    def _note(self, turn: Turn, call: Call, label: Label, files: list[str]) -> None:
        user = turn.who.user
        self._tally[label.story].setdefault(label.role, RoleTally()).add(call)
        if user and label.role.startswith(self._stories[label.story].people_roles):
            self._people[label.story][user] = None
        if label.story == shared_cache.ID and not label.role.startswith("decoy"):
            self._given.setdefault(call.response_id, []).append(user)
        self._line(
            {
                "kind": "interaction",
                "story": label.story,
                "role": label.role,
                "application": turn.app.name,
                "files": files,
                "response_id": call.response_id,
                "trace_id": turn.trace,
                "span_id": call.span,
                "session": turn.who.session,
                "user": user,
                "key": turn.who.key,
                "start_us": call.start_us,
            }
        )

    def _line(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Write the answers and finish the file."""
        for story in self._stories.values():
            line: dict[str, Any] = {
                "kind": "story",
                "story": story.id,
                "answers": story.answers,
                "roles": self._tally[story.id],
                "people": sorted(self._people[story.id]),
            }
            if story.id == shared_cache.ID:
                line["given"] = sorted(self._given.values())
            self._line(line)
        if self._file is not None:
            self._file.close()
