"""on_failure="open": no call fails or waits; records wait on disk and arrive in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from support.fake_endpoint import FakeEndpoint, fake_endpoint
from support.fake_provider import SECRET, FakeProvider
from support.sdk_twins import twin

from logstore import capture

ASK: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Where is my refund?"}],
}
ROOT = Path(__file__).resolve().parents[4]


def away(spool: Path, **more: Any) -> Any:
    return capture.client("http://127.0.0.1:9", on_failure="open", spool=spool, close_s=0.2, **more)


def texts(endpoint: FakeEndpoint) -> list[str]:
    return [found.input[0].parts[0].text for found in endpoint.found]


def test_records_arrive_in_order_without_anybody_waiting(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    with capture.client(endpoint.url, on_failure="open", application="support") as log:
        for number in range(50):
            assert log.record(f"question {number}", "answer", model="m") is None
        reply = log.chat(sdk, **ASK, user="maria")
        assert reply["id"] == "chatcmpl-1"
    assert texts(endpoint) == [
        *(f"question {number}" for number in range(50)),
        "Where is my refund?",
    ]
    assert endpoint.numbers == list(range(51))
    assert {source.rpartition("-")[0] for source, _, _ in endpoint.arrivals} == {"support"}


def test_an_endpoint_that_is_away_fails_no_call(provider: FakeProvider, tmp_path: Path) -> None:
    sdk = twin(provider.url)
    with away(tmp_path / "spool") as log:
        for _ in range(3):
            assert log.chat(sdk, **ASK)["id"] == "chatcmpl-1"
        deadline = time.monotonic() + 30  # the sender finds out in a thread of its own
        while log.status().trouble is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log.status().trouble == "the endpoint can not be reached"
        assert log.status().dropped == 0
        assert log.close() is False
    sdk.close()


def test_the_next_process_sends_what_was_left_and_the_numbers_go_on(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    for name in ("first", "second"):
        with away(spool) as log:
            for number in range(3):
                log.record(f"{name} {number}")
    with capture.client(endpoint.url, on_failure="open", spool=spool) as log:
        log.record("third 0")
    expected = [f"{name} {number}" for name in ("first", "second") for number in range(3)]
    assert texts(endpoint) == [*expected, "third 0"]
    assert [(first, count) for _, first, count in endpoint.arrivals] == [(0, 3), (0, 3), (0, 1)]
    assert len({source for source, _, _ in endpoint.arrivals}) == 3
    assert list(spool.rglob("*.spool")) == []


def test_nothing_readable_lies_in_the_spool_and_its_key_lies_elsewhere(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with away(spool) as log:
        log.record("Maria's secret question", "and the answer", user="maria@example.com")
    files = [path for path in spool.rglob("*") if path.is_file()]
    assert any(path.suffix == ".spool" for path in files)
    stored = b"".join(path.read_bytes() for path in files)
    for word in (b"secret", b"answer", b"maria", b"python-"):
        assert word not in stored
    key = tmp_path / "spool.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() not in stored
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_an_outage_is_bridged_in_order_without_a_gap(tmp_path: Path) -> None:
    with fake_endpoint() as endpoint:
        with capture.client(endpoint.url, on_failure="open", spool=tmp_path / "s") as log:
            log.record("0")
            endpoint.away = True
            for number in range(1, 20):
                log.record(str(number))
            time.sleep(0.3)
            endpoint.away = False
            log.record("20")
        assert texts(endpoint) == [str(number) for number in range(21)]
        assert endpoint.numbers == list(range(21))


def test_a_record_that_is_never_taken_does_not_stop_the_others(
    endpoint: FakeEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    with away(spool) as log:
        for number in range(4):
            log.record(str(number))
    endpoint.answers += [
        (413, {}, b'{"error":"too-large"}'),  # the four together
        (413, {}, b'{"error":"too-large"}'),  # the first one
    ]
    with capture.client(endpoint.url, on_failure="open", spool=spool, close_s=60) as log:
        log.record("4")
        assert log.close()
        status = log.status()
    assert texts(endpoint) == ["1", "2", "3", "4"]
    assert endpoint.numbers == [1, 2, 3, 0]
    assert (status.refused, status.recorded) == (1, 4)
    assert "is not taken" in caplog.text


def test_a_full_spool_keeps_the_oldest_and_counts_what_it_drops(
    endpoint: FakeEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    with away(spool, spool_bytes=2**20) as log:
        for number in range(30):
            log.record(f"{number} " + "x" * 100_000)
        status = log.status()
    assert 0 < status.dropped < 30
    assert status.waiting_bytes <= 2**20
    assert "dropped: the spool is full" in caplog.text
    with capture.client(endpoint.url, on_failure="open", spool=spool):
        pass
    assert len(endpoint.raws) == 30 - status.dropped
    assert endpoint.numbers == list(range(30 - status.dropped))


def test_the_kill_switch_of_an_endpoint_that_is_away_holds_until_it_is_lifted(
    endpoint: FakeEndpoint, provider: FakeProvider, sdk: Any
) -> None:
    from logstore.capture.sending.refusals import CallsStopped

    endpoint.stop = {"stopped": True, "reason": "INC-9"}
    with capture.client(endpoint.url, on_failure="open", check_s=0.01, close_s=0.2) as log:
        with pytest.raises(CallsStopped):
            log.chat(sdk, **ASK)
        endpoint.away = True
        time.sleep(0.05)
        with pytest.raises(CallsStopped):
            log.chat(sdk, **ASK)
    assert provider.asked == []


def test_a_process_killed_at_once_loses_nothing_it_recorded(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    code = f"""
        import os, signal
        from logstore import capture
        log = capture.client("http://127.0.0.1:9", on_failure="open", spool={str(spool)!r})
        for number in range(200):
            log.record(str(number))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with capture.client(endpoint.url, on_failure="open", spool=spool):
        pass
    assert texts(endpoint) == [str(number) for number in range(200)]


def test_processes_share_a_spool_directory(endpoint: FakeEndpoint, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    logs = [capture.client(endpoint.url, on_failure="open", spool=spool) for _ in range(3)]
    for number, log in enumerate(logs):
        log.record(f"from {number}")
    assert sorted(path.name for path in spool.iterdir()) == ["lane-0000", "lane-0001", "lane-0002"]
    assert all(log.close() for log in logs)
    assert sorted(texts(endpoint)) == ["from 0", "from 1", "from 2"]


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_a_forked_child_records_under_a_name_of_its_own(
    endpoint: FakeEndpoint, tmp_path: Path, mode: str
) -> None:
    code = f"""
        import os
        from logstore import capture
        log = capture.client({endpoint.url!r}, on_failure={mode!r}, spool={str(tmp_path / "s")!r})
        log.record("before")
        child = os.fork()
        for number in range(5):
            log.record(f"{{'child' if child == 0 else 'parent'}} {{number}}")
        if child == 0:
            os._exit(0 if log.close() else 1)
        assert os.waitpid(child, 0)[1] == 0
        log.record("after")
        assert log.close()
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = texts(endpoint)
    assert [text for text in found if text.startswith("child")] == [f"child {n}" for n in range(5)]
    assert len(found) == 12
    by_source: dict[str, list[int]] = {}
    for source, first, count in endpoint.arrivals:
        by_source.setdefault(source, []).extend(range(first, first + count))
    assert sorted(map(len, by_source.values())) == [5, 7]
    assert all(numbers == list(range(len(numbers))) for numbers in by_source.values())


def test_a_program_that_forgets_to_close_still_sends(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    code = f"""
        from logstore import capture
        log = capture.client({endpoint.url!r}, on_failure="open", spool={str(tmp_path / "s")!r})
        log.record("the last words")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert done.returncode == 0
    assert texts(endpoint) == ["the last words"]


def test_a_bug_of_ours_reaches_the_log_and_not_the_caller(
    endpoint: FakeEndpoint,
    sdk: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from logstore.capture.sending import recorder
    from logstore.capture.sending.refusals import NotRecorded

    def broken(_: object) -> bytes:
        raise RuntimeError(f"a bug, with {SECRET}")

    monkeypatch.setattr(recorder, "evidence", broken)
    with capture.client(endpoint.url, on_failure="open") as log:
        assert log.chat(sdk, **ASK)["id"] == "chatcmpl-1"
        assert log.status().dropped == 1
    assert "was not recorded: RuntimeError in " in caplog.text
    assert SECRET not in caplog.text
    with capture.client(endpoint.url) as log, pytest.raises(NotRecorded, match="RuntimeError"):
        log.chat(sdk, **ASK)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_spool_that_can_not_be_made_is_said_at_once(tmp_path: Path) -> None:
    from logstore.errors import UsageError

    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="can not be used"):
        away(tmp_path / "spool", spool_key=bytes(32))


def test_many_threads_and_an_endpoint_that_comes_and_goes(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with capture.client(endpoint.url, on_failure="open", spool=tmp_path / "s", close_s=60) as log:

        def speak(thread: int) -> None:
            for number in range(150):
                if thread == 0 and number % 10 == 0:
                    endpoint.away = not endpoint.away
                log.record(f"{thread}/{number}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(speak, range(8)))
        endpoint.away = False
        assert log.close()
        assert log.status().dropped == 0
    assert endpoint.numbers == list(range(1200))  # in order, once each, none missing
    for thread in range(8):
        own = [text for text in texts(endpoint) if text.startswith(f"{thread}/")]
        assert own == [f"{thread}/{number}" for number in range(150)]


def test_processes_killed_while_sending_lose_nothing(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    code = f"""
        import os, signal
        from logstore import capture
        log = capture.client({endpoint.url!r}, on_failure="open", spool={str(spool)!r})
        for number in range(400):
            log.record(str(number))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    for _ in range(4):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
    with capture.client(endpoint.url, on_failure="open", spool=spool, close_s=30) as log:
        assert log.close()
    numbers: dict[str, set[int]] = {}
    for source, first, count in endpoint.arrivals:
        numbers.setdefault(source, set()).update(range(first, first + count))
    assert [found == set(range(400)) for found in numbers.values()] == [True] * 4
    assert list(spool.rglob("*.aside")) == []


def test_a_client_that_was_closed_says_so_and_writes_nowhere(
    endpoint: FakeEndpoint, sdk: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool"
    log = capture.client(endpoint.url, on_failure="open", spool=spool)
    stream = log.chat(sdk, **ASK, stream=True)
    assert log.close()
    assert len(list(stream)) == 5  # the caller still gets what was paid for
    assert log.record("too late") is None
    assert log.status().dropped == 2
    assert "UsageError" in caplog.text
    assert list(spool.rglob("*.spool")) == []
