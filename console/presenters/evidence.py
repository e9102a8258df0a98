"""The evidence itself as lines: the source's own bytes, the leaf, and what proves them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from console.presenters.command import prove
from console.presenters.facts import labelled, same_call_words, unread_words
from console.presenters.figures import count, size
from console.presenters.spans import Line, line
from console.presenters.verdict import STATES, Standing, summary
from console.presenters.wrapping import wrap
from logstore.errors import FormatError
from logstore.formats.leaf import leaf_hash, parse
from logstore.query.rows import Detail

MAX_RAW = 256 * 1024
"""Most bytes of raw evidence that are laid out; what is cut is announced."""

_HEX_ROW = 16
_ESCAPED = frozenset(range(0x20)) - {0x09, 0x0A, 0x0D}


def raw(detail: Detail, cells: int) -> list[Line]:
    """The source's own bytes: JSON laid out, text as it stands, anything else in hex."""
    body = detail.body
    if body is None:
        said = unread_words(detail) or "This record has no body."
        return [line((text, "warn")) for text in wrap(said, cells)]
    out = [
        line(("SOURCE BYTES ", "title"), f"{body.format or '(none)'}, {size(len(body.raw))}"),
        (),
    ]
    data = body.raw[:MAX_RAW]
    text = _text(data)
    if text is None:
        out += _hex(data, cells)
    else:
        out += [line(made) for made in wrap(text, cells)]
    if len(body.raw) > MAX_RAW:
        left = len(body.raw) - MAX_RAW
        out.append(line((f"… {size(left)} more; export the record to see all", "warn")))
    resolved = {
        "subjects": body.subjects,
        "session": body.session,
        "conversation": body.conversation,
        "actor": body.actor,
        "note": body.note,
    }
    told = {name: value for name, value in resolved.items() if value}
    if told:
        out += [(), line(("RESOLVED AT CAPTURE", "title"))]
        out += [line(made) for made in wrap(_json(told), cells)]
    return out


def leaf(detail: Detail, cells: int) -> list[Line]:
    """The leaf: laid out for reading, then exactly the bytes that are hashed."""
    out = [line(("LEAF ", "title"), f"{size(len(detail.leaf))}, laid out for reading"), ()]
    text = detail.leaf.decode("utf-8", "replace")
    try:
        pretty = _json(json.loads(text))
    except (ValueError, RecursionError):
        pretty = text
    out += [line(made) for made in wrap(pretty, cells)]
    out += [(), line(("EXACT BYTES", "title")), ()]
    return out + [line((made, "dim")) for made in wrap(text, cells)]


def proof(detail: Detail, standing: Standing, store: str, cells: int) -> list[Line]:
    """What proves this record, how far that was checked, and how to prove it to others."""
    row = detail.row
    state = standing.state(row.index)
    glyph, meaning = STATES[state]
    out = [line(("THIS RECORD", "title"))]
    out += labelled("state", f"{glyph} {state}: {meaning}", cells)
    checked = row.index < standing.verified_to()
    out += labelled("verified", "✔ yes, leaf, chain and tree" if checked else "○ not yet", cells)
    out += labelled("leaf hash", leaf_hash(detail.leaf).hex(), cells)
    out += _links(detail, cells)
    out += [(), line(("THIS LOG", "title")), (*line("  "), *summary(standing, brief=cells < 72))]
    if detail.verified_to:
        out += labelled("answer read", f"under checkpoint {count(detail.verified_to)}", cells)
    for said in standing.lines[:200]:
        out += [line("  ", made) for made in wrap(said, cells - 2)]
    out += [(), line(("SAME CALL", "title"))]
    said = same_call_words(detail) or "no other record of this call"
    out += labelled("recorded", said, cells)
    out += [(), line(("PROVE IT TO OTHERS", "title"))]
    out += [line("  ", (made, "key")) for made in wrap(prove(row.id, store), cells - 2)]
    return out


def _links(detail: Detail, cells: int) -> Iterator[Line]:
    try:
        read = parse(detail.leaf)
    except FormatError as error:
        yield from labelled("leaf", f"! {error.what}", cells)
        return
    yield from labelled("chained to", read.prev.hex(), cells)
    yield from labelled("recorded", f"by {read.by}, from {read.source}", cells)
    if read.body is not None:
        yield from labelled("body commits", read.body.commit.hex(), cells)
        yield from labelled("body keys", "\n".join(read.body.keys), cells)


def _text(data: bytes) -> str | None:
    """The bytes as text, or None when they are not text."""
    if sum(byte in _ESCAPED for byte in data[:4096]) > 8:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A cut through the last character is ours, not the source's.
        if len(data) - error.start > 3 or len(data) < MAX_RAW:
            return None
        text = data[: error.start].decode("utf-8")
    if text.lstrip().startswith(("{", "[")):
        try:
            return _json(json.loads(text))
        except (ValueError, RecursionError):
            return text
    return text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _hex(data: bytes, cells: int) -> Iterator[Line]:
    per_row = _HEX_ROW if cells >= 76 else _HEX_ROW // 2
    for at in range(0, len(data), per_row):
        chunk = data[at : at + per_row]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in chunk)
        yield line((f"{at:08x}  ", "dim"), f"{chunk.hex(' '):<{per_row * 3}} ", (shown, "dim"))
