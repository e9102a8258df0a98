"""Copying out of a terminal, and honest words about what became of it.

A terminal never confirms OSC 52, and inside tmux with its defaults it is dropped silently; so
only tmux's own answer counts as done. Nothing is written to a file unless asked: what is copied
may be content, and content stays off the disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from console.exports import create_file

MAX_OSC52 = 74_994
"""Most bytes that common terminals take by OSC 52 (100,000 characters of base64)."""

_PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a copy.

    Attributes:
        done: somebody confirmed it; False means "sent, unconfirmed" or "not possible".
        say: one sentence for the person.
    """

    done: bool
    say: str


def copy(text: str, osc52: Callable[[str], None], env: Mapping[str, str] = os.environ) -> Outcome:
    """Copy safe text by the best way there is.

    Args:
        text: has passed `console.text.safe_text`.
        osc52: sends the text to the terminal by OSC 52.
        env: environment; ``AIRCON_CLIPBOARD`` may be auto, tmux or osc52.
    """
    wish = env.get("AIRCON_CLIPBOARD", "auto")
    if wish in {"auto", "tmux"} and env.get("TMUX") and shutil.which("tmux"):
        outcome = _tmux(text)
        if outcome.done or wish == "tmux":
            return outcome
    length = len(text.encode())
    if length > MAX_OSC52:
        return Outcome(
            False,
            f"Not copied: {length:,} bytes are more than terminals take. Use y, then f: a file.",
        )
    osc52(text)
    return Outcome(
        False,
        "Sent to the terminal (OSC 52), which does not confirm. Nothing to paste? y, then f.",
    )


def to_file(text: str, path: Path) -> Outcome:
    """Write safe text to a new file that only its owner may read.

    Raises:
        UsageError: the file exists already.
    """
    with create_file(path) as sink:
        sink.write(text.encode())
    return Outcome(True, f"Written to {path}")


def _tmux(text: str) -> Outcome:
    try:
        subprocess.run(
            ["tmux", "load-buffer", "-w", "-"],
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError):
        return Outcome(False, "Not copied: tmux did not take it.")
    return Outcome(True, "Copied to the tmux buffer (prefix ] pastes)")
