"""The client and `aircon serve` together: what a program says to models is found again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.fake_provider import SECRET, FakeProvider
from support.sdk_twins import async_twin
from support.serving import Serving, new_store, serving

from logstore import capture
from logstore.capture.sending.refusals import CallsStopped, EndpointAway

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is my refund?"}],
}
CLAUDE = {**ASK, "model": "claude-sonnet-4-5", "max_tokens": 50}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(new_store(tmp_path)) as server:
        yield server


async def test_every_way_of_calling_is_found_again(
    server: Serving, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client(server.url, application="support") as log:
        log.chat(sdk, **ASK, user="maria")
        list(log.chat(sdk, **ASK, user="otto", stream=True))
        log.responses(sdk, model="gpt-4o-mini", input="A question")
        log.messages(sdk, **CLAUDE, user="eve")
        list(log.messages(sdk, **CLAUDE, stream=True, hold_stream=False))
        with log.chat(sdk, **ASK, stream=True, hold_stream=False) as left:
            next(left)
        transport = log.async_transport()
        async with httpx.AsyncClient(transport=transport, base_url=provider.url) as http:
            await http.post("/v1/chat/completions", json=ASK, headers={"api-key": SECRET})

        @log.interaction(model="house-7b")
        def classify(question: str) -> str:
            return "refund"

        with log.session(user="zoe", session="s-9"):
            classify("Money?")
        assert isinstance(log.record("Hi", "Hello", user="maria", model="house-7b"), int)
        async_sdk = async_twin(provider.url)
        await log.chat(async_sdk, **ASK, user="nora")
        await async_sdk.close()
        status = log.status()
    assert (status.recorded, status.unreadable, status.trouble) == (10, 0, None)
    found = server.sql(
        "select request_model, response_model, stream, stream_aborted, source, application,"
        " capture_format from interactions order by index"
    )
    assert len(found) == 10
    assert [row["stream_aborted"] for row in found].count(True) == 1
    assert {row["application"] for row in found} == {"support"}
    assert {str(row["source"]).split("/")[0] for row in found} == {"live"}
    people = server.sql("select user_id from users")
    assert {row["user_id"] for row in people} >= {"maria", "otto", "eve", "zoe", "nora"}
    said = server.sql("select text from messages where role = 'assistant'")
    assert [row["text"] for row in said].count("Hello Maria") >= 5
    assert server.stop() == 0
    verified = server.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "gap" not in verified.stdout


def test_a_killed_endpoint_closes_closed_calls_and_open_ones_arrive_later(
    tmp_path: Path, provider: FakeProvider, sdk: Any
) -> None:
    store = new_store(tmp_path)
    with serving(store) as server:
        port = server.url.rpartition(":")[2]
        closed = capture.client(server.url, check_s=0)
        opened = capture.client(server.url, on_failure="open", spool=tmp_path / "s", close_s=30)
        closed.chat(sdk, **ASK, user="before")
        server.stop(signal.SIGKILL)
        with pytest.raises(EndpointAway):
            closed.chat(sdk, **ASK)
        for number in range(5):
            opened.chat(sdk, **ASK, user=f"away-{number}")
    asked = len(provider.asked)
    assert asked == 6  # and not one more
    with serving(store, listen=f"127.0.0.1:{port}") as server:
        closed.chat(sdk, **ASK, user="after")
        assert opened.close()
        closed.close()
        people = server.sql("select user_id from users")
        assert server.stop() == 0
        verified = server.verify()
    named = {str(row["user_id"]) for row in people}
    assert named == {"before", "after", *(f"away-{number}" for number in range(5))}
    assert verified.returncode == 0, verified.stdout
    assert "gap" not in verified.stdout


def test_the_endpoints_stop_file_stops_the_program(
    tmp_path: Path, provider: FakeProvider, sdk: Any
) -> None:
    stop = tmp_path / "stop"
    with (
        serving(new_store(tmp_path), "--stop-file", stop) as server,
        capture.client(server.url, check_s=0) as log,
    ):
        log.chat(sdk, **ASK)
        stop.write_text("INC-12: prompt leak\n")
        with pytest.raises(CallsStopped, match="INC-12: prompt leak"):
            log.chat(sdk, **ASK)
        stop.unlink()
        log.chat(sdk, **ASK)
    assert len(provider.asked) == 2


def test_reading_the_package_loads_no_http_library() -> None:
    code = (
        "import sys, logstore.capture; import logstore.capture.importing;"
        "assert not {'httpx', 'anyio', 'ssl'} & set(sys.modules), 'heavy';"
        "logstore.capture.client;"
        "assert 'httpx' in sys.modules;"
        "assert not {'duckdb', 'pyarrow', 'openai', 'anthropic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
