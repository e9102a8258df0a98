"""A log whose owner asks auditors to cosign it, all by the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.commands import Answer, line

Run = Callable[..., Answer]
ORIGIN = "t.example/cosigned"


class Owner:
    """A log with its owner, and auditors who each keep a witness."""

    def __init__(self, base: Path, run: Run) -> None:
        self.base = base
        self.store = base / "evidence"
        self.policy = base / "evidence.policy"
        self._run = run
        self._files = 0
        make = ["init", str(self.store), "--insecure-no-passphrase", "--origin", ORIGIN]
        assert run(*make).code == 0
        self.grow("first")

    def run(self, *words: str) -> Answer:
        return self._run(*words, "--store", str(self.store))

    def grow(self, *texts: str) -> None:
        logs = self._new("jsonl")
        logs.write_text("".join(line(text, "answer", "maria") + "\n" for text in texts))
        assert self.run("import", str(logs)).code == 0

    def hire(self, *names: str, quorum: str) -> None:
        """Make witnesses and put them into the policy."""
        lines = [each for each in self.policy.read_text().splitlines() if "quorum" not in each]
        for name in names:
            folder = str(self.base / name)
            words = ["init", "--witness", folder, "--name", f"audit.example/{name}", "--json"]
            made = self._run("witness", *words, "--insecure-no-passphrase")
            assert made.code == 0
            lines.append(str(made.objects[0]["policy_line"]))
        self.policy.write_text("\n".join([*lines, *quorum.splitlines()]) + "\n")

    def ask(self, name: str, *more: str) -> tuple[Answer, Path]:
        file = self._new("request")
        by = [] if "--old" in more else ["--by", name]
        return self.run("witness", "request", *by, *more, "-o", str(file)), file

    def sign(self, name: str, request: Path) -> tuple[Answer, Path]:
        file = self._new("answer")
        words = ["witness", "cosign", str(request), "--witness", str(self.base / name)]
        return self._run(*words, "--policy", str(self.policy), "-o", str(file)), file

    def take(self, *files: Path) -> Answer:
        return self.run("witness", "take", *map(str, files), "--json")

    def cosign(self, name: str) -> Answer:
        asked, request = self.ask(name)
        assert asked.code == 0, asked.err
        signed, answer = self.sign(name, request)
        assert signed.code == 0, signed.err
        return self.take(answer)

    def cosigned(self) -> list[Path]:
        return sorted((self.store / "cosigned").rglob("*.checkpoint"))

    def _new(self, suffix: str) -> Path:
        self._files += 1
        return self.base / f"{self._files}.{suffix}"
