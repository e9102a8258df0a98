"""Small real stores for tests: a key store, a log and what opens them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from logstore.disk import Disk
from logstore.formats import body
from logstore.formats.policy import Policy
from logstore.formats.record import Record
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.storage.log import Log, Options
from logstore.storage.reader import LogReader

ORIGIN = "logs.example.com/support"
OPTIONS = Options(protect=False, auto_seal_bytes=None, busy_timeout_s=10)


@dataclass
class TestStore:
    """A store in a temporary directory."""

    __test__ = False

    base: Path

    @property
    def path(self) -> Path:
        return self.base / "evidence"

    @property
    def keys_path(self) -> Path:
        return self.base / "evidence.keys"

    def create(self, disk: Disk | None = None) -> Log:
        keys = KeyStore.create(self.keys_path, NoHolder(), origin=ORIGIN, disk=disk)
        return Log.create(self.path, keys, options=OPTIONS, disk=disk)

    def keys(self, disk: Disk | None = None) -> KeyStore:
        return KeyStore.open(self.keys_path, NoHolder(), disk=disk)

    def open(self, disk: Disk | None = None, options: Options = OPTIONS) -> Log:
        return Log.open(self.path, self.keys(disk), options=options, disk=disk)

    def policy(self) -> Policy:
        return Policy((self.keys().signer().verifier(),))

    def reader(self, *, locked: bool = False) -> LogReader:
        keys = None if locked else self.keys()
        return LogReader.open(self.path, policy=self.policy(), keys=keys)


def chat(text: str, *subjects: str, seq: int | None = None, **more: object) -> Record:
    """An interaction record about some people."""
    fields = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": len(text),
    }
    content = body.Body(raw=text.encode(), format="aircon", subjects=list(subjects))
    return Record(
        "interaction",
        "test",
        clear=fields,
        content=body.encode(content),
        subjects=subjects,
        seq=seq,
        **more,  # type: ignore[arg-type]
    )


def texts(reader: LogReader) -> dict[int, str]:
    """Index -> evidence text of every readable interaction."""
    found = {}
    for index, leaf, opened in reader.contents(0, reader.size):
        if isinstance(opened, body.Body) and leaf.kind == "interaction":
            found[index] = opened.raw.decode()
    return found
