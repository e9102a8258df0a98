"""Every piece of Python in docs/capture/python.md, run from the first to the last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from support.fake_endpoint import fake_endpoint
from support.fake_provider import fake_provider
from support.memory_log import MemoryLog
from support.sdk_twins import twin

from logstore.capture.sending import exchange, refusals, settings, transport

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "capture" / "python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WORDS = " ".join(PAGE.split())


def test_the_code_of_the_page_runs_and_records_what_it_says() -> None:
    shown: list[object] = []
    with fake_endpoint() as endpoint, fake_provider() as provider:
        sdk = twin(provider.url)
        names: dict[str, Any] = {
            "openai_client": sdk,
            "anthropic_client": sdk,
            "provider_url": provider.url,
            "opened_log": MemoryLog(),
            "show": shown.append,
        }
        for block in BLOCKS:
            exec(block.replace("http://127.0.0.1:4318", endpoint.url), names)
        names["log"].close()
        names["provider"].shutdown()
        sdk.close()
    assert len(BLOCKS) == 9
    assert names["answer"] == "all is well"
    assert len(shown) == 5
    formats = [(found.format, found.agent) for found in endpoint.found]
    assert formats.count(("openai.pair", None)) == 6
    assert formats.count(("anthropic.pair", None)) == 1
    assert ("aircon", "triage") in formats
    assert endpoint.found[-1].conversation_id == "c-77"


def test_the_page_names_every_option_error_and_default() -> None:
    for option in get_type_hints(settings.Options):
        assert f"`{option}=" in PAGE, option
    for error in (refusals.CallsStopped, refusals.EndpointAway, refusals.NotRecorded):
        assert f"`{error.__name__}`" in PAGE
    for path in transport.MODEL_PATHS:
        assert f"`{path}`" in WORDS
    assert f"{exchange.MAX_EVIDENCE // 2**20} MiB" in PAGE
    made = settings.settings("http://127.0.0.1:1", "open", {})
    assert f"({made.spool_bytes // 2**20} MiB)" in PAGE
    assert f"`timeout_s` ({made.timeout_s:g} s)" in WORDS
    assert f"`connect_s` ({made.connect_s:g} s)" in WORDS
    assert f"`check_s` seconds ({made.check_s:g})" in WORDS


def test_default_places_are_those_of_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings.default_spool() == tmp_path / ".local/state/aircon/spool"
    assert "`~/.local/state/aircon/spool`" in PAGE
