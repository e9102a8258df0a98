"""Rotel, a collector that is packaged, run as docs/capture/collector.md says."""

from __future__ import annotations

import contextlib
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.client_programs import free_port
from support.recipes import variables
from support.waiting import heard, until


@dataclass
class Rotel:
    """A running collector.

    Attributes:
        grpc: where applications send.
        http: likewise, with OTLP over HTTP.
        said: its log, line by line.
    """

    grpc: str
    http: str
    said: list[str] = field(default_factory=list)

    def says(self, words: str) -> bool:
        """Whether its log has these words."""
        return any(words in line for line in self.said)


@contextlib.contextmanager
def rotel(agent: Path, endpoint: str, token: str, **more: str) -> Iterator[Rotel]:
    """The collector with the page's variables and `more`, but quicker to come back."""
    grpc, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    environment = variables("rotel", endpoint, token) | {
        "LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR"),  # it wants this Python's library
        "ROTEL_OTLP_GRPC_ENDPOINT": grpc,
        "ROTEL_OTLP_HTTP_ENDPOINT": http,
        "ROTEL_OTLP_EXPORTER_RETRY_INITIAL_BACKOFF": "500ms",
        "ROTEL_OTLP_EXPORTER_RETRY_MAX_BACKOFF": "1s",
        **more,
    }
    process = subprocess.Popen(
        [agent, "start"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Rotel(f"http://{grpc}", f"http://{http}")
    with heard(process.stdout, running.said):
        try:
            until(lambda: running.says("Starting Rotel"))
            yield running
        finally:
            process.kill()
            process.wait()
