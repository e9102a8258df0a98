"""The `aircon` command line that shows the same facts as the screen."""

from __future__ import annotations

import shlex

from logstore.query.filters import Filter

_OPTIONS = {
    "user": "--user",
    "session": "--session",
    "conversation": "--conversation",
    "model": "--model",
    "model_version": "--model-version",
    "application": "--application",
    "environment": "--environment",
    "operation": "--operation",
    "source": "--source",
}
_USUAL_KIND = "interaction"
"""What `aircon search` looks at unless told otherwise."""


def word(text: str) -> str:
    r"""One shell word: quoted where needed; control characters as ``$'\x1b'``, never raw."""
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def search(wanted: Filter, store: str = "") -> str:
    """The command for what the table shows."""
    said: list[str] = []
    for name, option in _OPTIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            joint = "=" if value.startswith("-") else " "
            said.append(f"{option}{joint}{word(value)}")
    if wanted.kind != _USUAL_KIND:
        said.append(f"--kind {word(wanted.kind or '*')}")
    if wanted.field != "any":
        said.append(f"--field {wanted.field}")
    said += [option for option, given in _flags(wanted) if given]
    for option, time_us in (("--since", wanted.since_us), ("--until", wanted.until_us)):
        if time_us is not None:
            said.append(f"{option} {_instant(time_us)}")
    if wanted.text:
        said.append(f"-- {word(wanted.text)}" if wanted.text.startswith("-") else word(wanted.text))
    return _line("search", said, store)


def show(record_id: str, store: str = "") -> str:
    """The command for one record."""
    return _line("show", [word(record_id)], store)


def prove(record_id: str, store: str = "") -> str:
    """The command that writes a proof of one record to a file."""
    return _line("prove", [word(record_id), "-o", word(f"{record_id}.tlog-proof")], store)


def _flags(wanted: Filter) -> list[tuple[str, bool]]:
    return [
        ("--regex", wanted.regex),
        ("--exact", wanted.exact),
        ("--errors", wanted.errors_only),
    ]


def _line(verb: str, said: list[str], store: str) -> str:
    place = [f"--store {word(store)}"] if store else []
    return " ".join(["aircon", verb, *place, *said])


def _instant(time_us: int) -> str:
    return Filter(since_us=time_us).to_words().partition(":")[2]


def _escaped(char: str) -> str:
    if char in "'\\":
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    if code <= 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
