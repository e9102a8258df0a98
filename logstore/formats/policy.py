"""Trust policy: which logs and witnesses to believe (C2SP tlog-policy, 2026-06).

    log <vkey> [url]
    witness <name> <vkey> [url]
    group <name> all|any|<k> <name>...
    quorum <name>|none

A checkpoint holds when a listed log signed it under its own origin and the quorum of witnesses
cosigned it. What the policy requires and the checkpoint lacks is a failure, never a shrug.
Stricter than the specification in three points: the file is UTF-8; a log's key cannot also be a
witness, since a log that vouches for itself vouches for nothing; and sizes are capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from logstore.errors import CannotJudge, FormatError, TamperingFound
from logstore.formats import schemes
from logstore.formats.checkpoint import peek_checkpoint
from logstore.formats.checkpointtext import Checkpoint
from logstore.formats.cosignature import cosignature_time
from logstore.formats.note import Verifier, open_note, parse_vkey
from logstore.formats.spelling import parse_decimal

MAX_POLICY = 1_000_000
"""Largest policy file in bytes."""

MAX_MEMBERS = 64
"""Most logs, most witnesses and most groups in a policy (the specification asks for 32)."""

NO_QUORUM = "none"
"""The quorum that needs no witness."""

LOG_TYPES = frozenset({schemes.ED25519, schemes.MLDSA})
"""Signature types a log may sign with."""

WITNESS_TYPES = frozenset({schemes.COSIGNATURE, schemes.MLDSA})
"""Signature types a witness may sign with."""

_NAME = re.compile(r"[^\x00-\x20\x7f]+")
_REFUSED = re.compile(r"[^\t\n\x20-\x7e\x80-\U0010ffff]")
_BLANK = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness under the name it has in this policy only."""

    name: str
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class Group:
    """`threshold` of `members` (witnesses or earlier groups) must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy found on a checkpoint that it accepts.

    Attributes:
        checkpoint: the log's statement.
        witnessed: time of each witness's cosignature, seconds since 1970 UTC, by policy name.
    """

    checkpoint: Checkpoint
    witnessed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom to believe.

    Attributes:
        logs: log keys; each key's name is its log's origin.
        witnesses: witnesses by name.
        groups: groups, each after its members.
        quorum: name of the witness or group that must have cosigned, or ``none``.
        urls: (vkey, url) of the logs and witnesses that have one.

    Raises:
        FormatError: a policy the specification forbids.
    """

    logs: tuple[Verifier, ...] = ()
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM
    urls: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        _check_keys(self.logs, [witness.verifier for witness in self.witnesses])
        names = _Names()
        for witness in self.witnesses:
            names.define(witness.name)
        for group in self.groups:
            names.define_group(group)
        names.check_quorum(self.quorum)
        if max(len(self.logs), len(self.witnesses), len(self.groups)) > MAX_MEMBERS:
            raise FormatError(f"policy with more than {MAX_MEMBERS} logs, witnesses or groups")
        keys = {key.vkey() for key in self._keys()}
        urls = dict(self.urls)
        if not urls.keys() <= keys or len(urls) != len(self.urls):
            raise FormatError("policy with an address for a key it does not list, or with two")
        if not all(_NAME.fullmatch(url) for url in urls.values()):
            raise FormatError("policy with an address that is not one word")

    def text(self) -> str:
        """The policy file, without comments."""
        urls = dict(self.urls)
        lines = [_join("log", key.vkey(), urls.get(key.vkey(), "")) for key in self.logs]
        for witness in self.witnesses:
            vkey = witness.verifier.vkey()
            lines.append(_join("witness", witness.name, vkey, urls.get(vkey, "")))
        lines += [_join("group", g.name, str(g.threshold), *g.members) for g in self.groups]
        lines.append(_join("quorum", self.quorum))
        return "\n".join(lines) + "\n"

    def log_for(self, origin: str) -> Verifier:
        """The first key of the log with this origin.

        Raises:
            CannotJudge: the policy does not list such a log.
        """
        for verifier in self.logs:
            if verifier.name == origin:
                return verifier
        raise CannotJudge(
            f"the policy lists no log {origin!r}",
            todo="check that this is the policy of this log, not one that came with its data",
        )

    def check(self, data: bytes) -> Checkpoint:
        """The checkpoint, if this policy accepts it; see `examine` for what is raised."""
        return self.examine(data).checkpoint

    def examine(self, data: bytes) -> Verdict:
        """Check a signed checkpoint: log signature under its own origin, then the quorum.

        Raises:
            FormatError: not a signed checkpoint.
            TamperingFound: a signature of a known key is wrong, or the log that the checkpoint
                names is listed but its key has not signed.
            CannotJudge: the log is not listed, or too few witnesses have cosigned.
        """
        checkpoint = peek_checkpoint(data)
        self.log_for(checkpoint.origin)
        try:
            note = open_note(data, self._keys())
        except CannotJudge:
            raise _unsigned(checkpoint) from None
        made = {(each.name, each.key_id): each for each in note.signatures}
        logs = {(key.name, key.key_id) for key in self.logs if key.name == checkpoint.origin}
        if not logs & made.keys():
            raise _unsigned(checkpoint)
        witnessed = {
            witness.name: cosignature_time(made[identity])
            for witness in self.witnesses
            if (identity := (witness.verifier.name, witness.verifier.key_id)) in made
        }
        if not self.reached(witnessed):
            raise CannotJudge(
                f"the checkpoint of {checkpoint.origin} lacks the quorum {self.quorum!r}:"
                f" cosigned by {', '.join(sorted(witnessed)) or 'no witness'}",
                todo="wait for the witnesses, or fetch the cosigned checkpoint",
            )
        return Verdict(checkpoint, witnessed)

    def reached(self, witnessed: Iterable[str]) -> bool:
        """Whether cosignatures of the witnesses with these names make the quorum."""
        done = {NO_QUORUM, *witnessed}
        for group in self.groups:
            if sum(member in done for member in group.members) >= group.threshold:
                done.add(group.name)
        return self.quorum in done

    def _keys(self) -> list[Verifier]:
        return [*self.logs, *(witness.verifier for witness in self.witnesses)]


def parse_policy(data: str | bytes) -> Policy:
    """Read a policy file.

    Raises:
        FormatError: not a policy, with the number of the line at fault where there is one.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
    except UnicodeDecodeError:
        raise FormatError("policy is not UTF-8") from None
    if len(text) > MAX_POLICY or _REFUSED.search(text):
        raise FormatError("policy is too large or has control characters")
    *lines, rest = text.split("\n")
    if rest:
        raise FormatError("the last line of the policy has no newline: is it cut off?")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.read(_BLANK.split(line.strip(" \t")))
        except FormatError as error:
            raise FormatError(f"policy line {number}: {error.what}") from None
    return reader.policy()


class _Names:
    """The one namespace of witnesses and groups: each defined once, a member at most once."""

    def __init__(self) -> None:
        self._free: set[str] = set()
        self._defined: set[str] = set()

    def define(self, name: str) -> None:
        if name in self._defined or name == NO_QUORUM or not _NAME.fullmatch(name):
            raise FormatError(f"{name!r} is defined twice, or is not a name")
        self._defined.add(name)
        self._free.add(name)

    def define_group(self, group: Group) -> None:
        for member in group.members:
            if member not in self._free:
                raise FormatError(f"{member!r} is not defined yet, or a group member already")
            self._free.remove(member)
        if not 1 <= group.threshold <= len(group.members):
            raise FormatError(f"group {group.name!r} needs 1 to all of its members")
        self.define(group.name)

    def check_quorum(self, name: str) -> None:
        if name != NO_QUORUM and name not in self._defined:
            raise FormatError(f"the quorum {name!r} is not defined yet")


class _Reader:
    """Collects a policy line by line, so that names must be defined before they are used."""

    def __init__(self) -> None:
        self._names = _Names()
        self._logs: list[Verifier] = []
        self._witnesses: list[Witness] = []
        self._groups: list[Group] = []
        self._quorum: str | None = None
        self._urls: list[tuple[str, str]] = []

    def read(self, words: list[str]) -> None:
        match words:
            case [word, *_] if not word or word.startswith("#"):
                pass
            case ["log", vkey, *url] if len(url) <= 1:
                self._logs.append(self._key(vkey, url))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._names.define(name)
                self._witnesses.append(Witness(name, self._key(vkey, url)))
            case ["group", name, threshold, *members] if members:
                group = Group(name, _threshold(threshold, len(members)), tuple(members))
                self._names.define_group(group)
                self._groups.append(group)
            case ["quorum", name] if self._quorum is None:
                self._names.check_quorum(name)
                self._quorum = name
            case _:
                raise FormatError("not a line of a policy, or a second quorum")

    def policy(self) -> Policy:
        if self._quorum is None:
            raise FormatError("policy without a quorum line; write 'quorum none' to need none")
        return Policy(
            tuple(self._logs),
            tuple(self._witnesses),
            tuple(self._groups),
            self._quorum,
            tuple(self._urls),
        )

    def _key(self, vkey: str, url: list[str]) -> Verifier:
        self._urls += [(vkey, each) for each in url]
        return parse_vkey(vkey)


def _threshold(word: str, members: int) -> int:
    return {"any": 1, "all": members}.get(word) or parse_decimal(word, "group threshold")


def _check_keys(logs: Iterable[Verifier], witnesses: Iterable[Verifier]) -> None:
    seen: set[bytes] = set()
    for keys, types in ((logs, LOG_TYPES), (witnesses, WITNESS_TYPES)):
        for key in keys:
            if key.type not in types:
                raise FormatError(f"the signature type of key {key.name} does not fit its place")
            if key.public_key in seen:
                raise FormatError(f"key {key.name} is listed twice")
            seen.add(key.public_key)


def _unsigned(checkpoint: Checkpoint) -> TamperingFound:
    return TamperingFound(
        f"the checkpoint of {checkpoint.origin} is not signed by the log's own key",
        todo="keep this copy as evidence: its signature was stripped, or it is another's work",
    )


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)
