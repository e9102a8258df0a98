"""What docs/operations says about running the endpoint is what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from console import cli
from console.commands import command
from logstore.receiving.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "operations"
PAGE = (FOLDER / "README.md").read_text("utf-8")


def test_every_metric_is_described_and_none_invented() -> None:
    described = set(re.findall(r"^\| `(aircon_\w+)", PAGE, re.MULTILINE))
    registry = Metrics().registry
    exposed = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in registry.collect()
    }
    assert described == exposed


def test_the_unit_calls_aircon_as_it_can_be_called() -> None:
    unit = (FOLDER / "aircon.service").read_text("utf-8")
    call = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert call is not None
    _, verb, *words = shlex.split(call[1])
    row = command(verb)
    assert row is not None
    args = cli.parser(row).parse_args(words)
    assert args.seal_on_stop
    assert args.passphrase_file == "${CREDENTIALS_DIRECTORY}/passphrase"


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGHUP"])
def test_signals_are_described(signal: str) -> None:
    assert signal in PAGE
    served = command("serve")
    assert served is not None
    assert signal in served.teach


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        if target.startswith("../capture"):
            continue  # checked with those pages
        assert (FOLDER / target).exists(), target
