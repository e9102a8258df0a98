"""Run the programs of docs/capture as a user would: the page's variables, and nothing of ours."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from support.recipes import PROGRAMS
from support.serving import aircon


def new_token(store: Path, name: str) -> str:
    """A token of this name for the store's endpoint."""
    made = aircon("token", "add", name, "--store", store, "--insecure-no-passphrase")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def free_port() -> int:
    """A port that nobody listens on now, for programs that can not be asked which one they took."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def surroundings(home: Path, model: str) -> dict[str, str]:
    """What every program is given: where the models are, and that there is no internet."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OPENAI_API_KEY": "sk-nobody",
        "OPENAI_BASE_URL": f"{model}/v1",
        "ANTHROPIC_API_KEY": "sk-nobody",
        "ANTHROPIC_BASE_URL": model,
        "ANTHROPIC_API_BASE": model,  # LiteLLM's name for it
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would ask the internet
        # One batch at the end: the call's span and the one above it that names the person.
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
    }


def run_program(python: Path, telemetry: str, calls: str, environment: dict[str, str]) -> None:
    """Run one application with one way of telling, to its end."""
    done = subprocess.run(
        [python, PROGRAMS / "run.py", telemetry, calls],
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
