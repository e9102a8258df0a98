"""A checkpoint with what witnesses said of it, collected from any number of copies.

Witnesses sign at different times, so one checkpoint comes back several times with different
cosignatures. Only lines that a key of the policy really made are taken; a line that bears a
witness's name and is not its own is named, and spoils no other.
"""

from __future__ import annotations

from dataclasses import dataclass

from logstore.formats.checkpoint import Checkpoint
from logstore.formats.cosignature import cosignature_time
from logstore.formats.note import Note, NoteSignature, parse_note
from logstore.formats.policy import Policy


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that its log signed.

    Attributes:
        checkpoint: what the log states.
        signature: the log's own line.
        witnesses: verified cosignatures by the witnesses' names in the policy.
        wrong: names of witnesses whose line is there and is not theirs.
    """

    checkpoint: Checkpoint
    signature: NoteSignature
    witnesses: dict[str, NoteSignature]
    wrong: tuple[str, ...] = ()

    @property
    def times(self) -> dict[str, int]:
        """When each witness cosigned, in seconds since 1970 UTC, by name."""
        return {name: cosignature_time(line) for name, line in sorted(self.witnesses.items())}

    def joined(self, other: Cosigned) -> Cosigned:
        """This with what another copy of the same checkpoint adds; the earliest word counts."""
        lines = dict(self.witnesses)
        for name, line in other.witnesses.items():
            known = lines.get(name)
            if known is None or cosignature_time(line) < cosignature_time(known):
                lines[name] = line
        return Cosigned(self.checkpoint, self.signature, lines, (*self.wrong, *other.wrong))

    def encode(self) -> bytes:
        """The signed checkpoint with every verified cosignature."""
        lines = (self.witnesses[name] for name in sorted(self.witnesses))
        return Note(self.checkpoint.text(), (self.signature, *lines)).encode()


def open_cosigned(data: bytes, policy: Policy) -> Cosigned:
    """Read a signed checkpoint and sort its cosignatures.

    Raises:
        FormatError: not a signed checkpoint.
        TamperingFound: the log's own signature is wrong or missing.
        CannotJudge: the policy does not list the log.
    """
    checkpoint = Policy(policy.logs).check(data)
    note = parse_note(data)
    own = {(key.name, key.key_id) for key in policy.logs if key.name == checkpoint.origin}
    signature = next(line for line in note.signatures if (line.name, line.key_id) in own)
    keys = {(w.verifier.name, w.verifier.key_id): w for w in policy.witnesses}
    good: dict[str, NoteSignature] = {}
    wrong = []
    for line in note.signatures:
        witness = keys.get((line.name, line.key_id))
        if witness is None:
            continue
        if witness.verifier.verify(note.text.encode(), line.signature):
            good.setdefault(witness.name, line)
        else:
            wrong.append(witness.name)
    return Cosigned(checkpoint, signature, good, tuple(wrong))
