"""Rows of the command table: demo, samples and shells; see `console.commands`."""

from __future__ import annotations

from console.arguments import (
    JSON,
    Argument,
    Command,
    flag,
    value,
)

_GROUP = "Find your way"

FINDING: tuple[Command, ...] = (
    Command(
        "demo",
        "a throw-away store with sample logs: import, seal, verify, ask, prove, explore",
        """
Makes ./demo-store anew each time, without a passphrase, imports sample-logs/, seals,
verifies, answers three forensic questions with the SQL shown, proves one record and checks
it offline. In a terminal it then opens the explorer.

  aircon demo
  aircon demo --no-console""",
        (
            flag("--no-console", help="end with the summary"),
            value(
                "--directory", metavar="DIR", completes="directory",
                help="the throw-away store (default ./demo-store)",
            ),
            value(
                "--logs", metavar="DIR", completes="directory",
                help="what to import (default: the sample-logs that come with aircon)",
            ),
        ),
        _GROUP,
        "demo",
    ),
    Command(
        "sample",
        "write believable logs of a fictional company, any number, from a seed",
        """
The same seed writes the same bytes. What is hidden in the logs is written to a label file,
apart from the logs.

  aircon sample logs/
  aircon sample big/ --records 1000000 --seed 7 --labels truth.jsonl""",
        (
            Argument(("directory",), "a new directory", {"metavar": "DIR"}, "directory"),
            value("--records", metavar="N", type=int, default=5_000, help="interactions (5000)"),
            value("--seed", metavar="S", type=int, default=1, help="seed (1)"),
            value(
                "--labels", metavar="FILE", completes="file",
                help="the label file (default DIR.labels.jsonl, beside the logs)",
            ),
            JSON,
        ),
        _GROUP,
        "sample",
    ),
    Command(
        "completion",
        "print shell completion for bash, zsh or fish",
        """
  source <(aircon completion bash)                                   in ~/.bashrc
  aircon completion zsh > "${fpath[1]}/_aircon"
  aircon completion fish > ~/.config/fish/completions/aircon.fish""",
        (
            Argument(
                ("shell",), "bash, zsh or fish",
                {"choices": ("bash", "zsh", "fish"), "metavar": "SHELL"},
            ),
        ),
        _GROUP,
        "completion",
    ),
)  # fmt: skip
"""Rows of the commands for newcomers."""
