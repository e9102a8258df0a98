r"""The text of a checkpoint: what a log states about itself (C2SP tlog-checkpoint v1.0.0).

    <origin>\n<size, decimal>\n<base64 root hash>\n[extension line\n]...

Whether to believe the text is a question of its signatures; see `checkpoint` and `policy`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.spelling import encode_base64, parse_base64, parse_decimal
from logstore.formats.treehash import EMPTY_ROOT, HASH, MAX_SIZE

MAX_ORIGIN = 255
"""Longest origin in bytes of UTF-8; ML-DSA-44 cosignatures carry it behind a one-byte length."""

MAX_EXTENSIONS = 100
"""Most extension lines."""

# Every signed note refuses code points below U+0020; UTF-8 has no lone surrogates.
_REFUSED = re.compile("[\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement: at `size` leaves my root is `root`.

    Attributes:
        origin: the log's name, e.g. ``example.com/log``.
        size: leaves in the tree.
        root: RFC 6962 root hash, 32 bytes.
        extensions: further lines, not empty; not covered by ML-DSA-44 cosignatures.

    Raises:
        FormatError: values that have no place in a checkpoint.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            _check_line(line)
        if len(self.origin.encode()) > MAX_ORIGIN:
            raise FormatError(f"checkpoint origin is longer than {MAX_ORIGIN} bytes")
        if len(self.extensions) > MAX_EXTENSIONS:
            raise FormatError(f"checkpoint has more than {MAX_EXTENSIONS} extension lines")
        if not 0 <= self.size <= MAX_SIZE:
            raise FormatError(f"checkpoint size {self.size} is out of range")
        if len(self.root) != HASH:
            raise FormatError(f"checkpoint root hash is {len(self.root)} bytes long, not {HASH}")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("checkpoint of an empty log with the root of something else")

    def text(self) -> str:
        """The note text, as it is signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "\n".join(lines) + "\n"


def parse_checkpoint_text(text: str) -> Checkpoint:
    """Read a checkpoint's note text.

    Raises:
        FormatError: not exactly such a text.
    """
    lines = text.split("\n", MAX_EXTENSIONS + 4)
    if len(lines) < 4 or lines.pop():
        raise FormatError("a checkpoint is at least three whole lines")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(
        origin,
        parse_decimal(size, "checkpoint size"),
        parse_base64(root, "checkpoint root hash"),
        tuple(extensions),
    )
    if checkpoint.text() != text:
        raise FormatError("checkpoint is not in its one spelling")
    return checkpoint


def _check_line(line: str) -> None:
    if not line or _REFUSED.search(line):
        raise FormatError("checkpoint has an empty line or a line with control characters")
