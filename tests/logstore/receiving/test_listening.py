"""An endpoint that can not begin to listen says why and what to do, and ends with its own code."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.certificates import Certificates, certificates
from support.inside import inside
from support.serving import aircon, new_store

from console.diagnostics import exit_code
from logstore.receiving.listening import Server, Tls, not_listening
from logstore.receiving.serving import Settings, _config


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path / "tls")


def words(store: Path, listen: str, made: Certificates | None = None) -> list[str | Path]:
    """A call of `aircon serve`."""
    tls = ["--tls-cert", made.server, "--tls-key", made.server_key] if made else []
    common = ["serve", "--store", store, "--insecure-no-passphrase", "--listen", listen]
    return [*common, *tls]


@pytest.mark.parametrize("tls", [False, True])
def test_a_port_that_is_taken(tls: bool, tmp_path: Path, made: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ended = aircon(*words(new_store(tmp_path), address, made if tls else None))
    assert ended.returncode == 3
    said = ended.stderr.splitlines()
    assert f"aircon: {address} can not be listened on: another program listens there already" in (
        said
    )
    assert "  Is another endpoint running there? Choose another port with --listen." in said
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every file")
def test_a_certificate_that_may_not_be_read(tmp_path: Path, made: Certificates) -> None:
    made.server_key.chmod(0)
    ended = aircon(*words(new_store(tmp_path), "127.0.0.1:0", made))
    assert ended.returncode == 3
    assert "its key or the clients' authority can not be used: Permission denied" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_files_that_run_out_at_any_moment_of_the_start(tmp_path: Path, made: Certificates) -> None:
    store = new_store(tmp_path)
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv.pop(1)),) * 2)\n"
        "from console.__main__ import main\n"
        "sys.exit(main())\n"
    )
    codes = []
    for limit in range(12, 18):
        call = [sys.executable, "-c", program, str(limit), *words(store, "127.0.0.1:0", made)]
        with subprocess.Popen(
            [str(word) for word in call], stderr=subprocess.PIPE, text=True
        ) as it:
            assert it.stderr is not None
            said = ""
            for line in it.stderr:
                said += line
                if "taking records on" in line:
                    it.terminate()
        codes.append(it.returncode)
        assert "Traceback" not in said
        assert (it.returncode == 0) == ("taking records on" in said), said
    assert codes[0] != 0
    assert set(codes) <= {0, 2, 3, 5}


@pytest.mark.parametrize("tls", [False, True])
async def test_sockets_that_run_out_while_it_begins_to_listen(
    tls: bool, tmp_path: Path, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    async with inside(tmp_path) as running:
        files = Tls(made.server, made.server_key) if tls else None
        settings = Settings("127.0.0.1", 0, running.store.path, tls=files)
        ready: list[int] = []
        server = Server(_config(settings, running.doors), lambda _, port: ready.append(port))
        if tls:
            monkeypatch.setattr("logstore.receiving.listening.os.dup", no_more)
        else:
            monkeypatch.setattr(asyncio.get_running_loop(), "create_server", no_more)
        with pytest.raises(OSError, match="Too many open files") as caught:
            await server.serve()
        assert ready == []
        assert not any(each.is_serving() for each in getattr(server, "servers", []))
    error = not_listening("127.0.0.1", 4318, caught.value)
    assert error.diagnostics() == [
        "127.0.0.1:4318 can not be listened on: Too many open files",
        "Raise the limit of open files (ulimit -n; LimitNOFILE= in a systemd unit).",
    ]
    assert exit_code(error) == 2


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EADDRNOTAVAIL, "this machine has no such address"),
        (errno.EACCES, "this user may not"),
        (errno.EAFNOSUPPORT, "strange"),
        (None, "OSError"),
    ],
)
def test_each_reason_has_its_words(number: int | None, reason: str) -> None:
    error = not_listening("::1", 80, OSError(number, "strange") if number else OSError("odd"))
    what, todo = error.diagnostics()
    assert what == f"[::1]:80 can not be listened on: {reason}"
    assert "--listen" in todo
    assert exit_code(error) == 3
