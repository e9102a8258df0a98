"""A conversation as lines: turns, tool calls with arguments and results, what was lost.

Chat clients send the whole history with every call, so a conversation of N records would repeat
itself N times. A message that the records before already showed is folded into a count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from console.presenters.facts import gap_words, unread_words
from console.presenters.figures import duration, moment, plural, short
from console.presenters.spans import Line, Role, line
from console.presenters.wrapping import wrap
from console.text import reveal
from logstore.capture.interaction import Interaction, Message, Part
from logstore.query.rows import Detail

MAX_LINES = 20_000
"""Most lines of one view; what is cut is announced."""

MAX_PART = 200_000
"""Most characters of one part that are laid out; what is cut is announced."""

_ROLES: dict[str, tuple[str, Role]] = {
    "system": ("SYSTEM", "dim"),
    "user": ("USER", "user"),
    "assistant": ("ASSISTANT", "model"),
    "tool": ("TOOL RESULT", "tool"),
}


def talk(details: Sequence[Detail], here: int, cells: int) -> list[Line]:
    """The turns of a conversation.

    Args:
        details: its records, oldest first.
        here: index of the record the person came from; it is marked.
        cells: width in terminal cells.
    """
    out: list[Line] = []
    shown: set[tuple[str, str]] = set()
    if len(details) > 1:
        out += [line((f"{plural(len(details), 'record')} in this conversation", "dim")), ()]
    for detail in details:
        for made in _record(detail, here, shown, cells):
            if len(out) >= MAX_LINES:
                out.append(line(("… cut here: the view is full; export shows the rest", "warn")))
                return out
            out.append(made)
    return out


def place_of(lines: Sequence[Line]) -> int:
    """Which line starts the marked record; 0 when none is marked."""
    for at, spans in enumerate(lines):
        if spans and spans[0].role == "mark":
            return at
    return 0


def _record(detail: Detail, here: int, shown: set[tuple[str, str]], cells: int) -> Iterator[Line]:
    row = detail.row
    mine = row.index == here
    head = f"{'▶' if mine else '─'} {moment(row.time_us)} UTC  #{row.index}"
    yield line((head, "mark" if mine else "dim"))
    for text in wrap(_meta(detail), cells - 2):
        yield line("  ", (text, "dim"))
    if detail.interaction is None:
        yield from _without_call(detail, cells)
    else:
        yield from _interaction(detail.interaction, shown, cells)
    yield ()


def _without_call(detail: Detail, cells: int) -> Iterator[Line]:
    """A record whose content is not an interaction, or not readable."""
    said = unread_words(detail)
    for text in wrap(said, cells - 2) if said else ():
        yield line("  ", (text, "warn"))
    if detail.body is not None and detail.body.note:
        yield from _text(json.dumps(detail.body.note, indent=2, default=str), cells, 2)
    elif not said:
        yield line(("  no content besides the clear fields (see facts)", "dim"))


def _meta(detail: Detail) -> str:
    row = detail.row
    facts = [row.model_version or row.model or row.operation or row.kind]
    if row.tokens_in is not None or row.tokens_out is not None:
        facts.append(f"{short(row.tokens_in) or '?'}→{short(row.tokens_out) or '?'} tokens")
    if row.duration_us is not None:
        facts.append(duration(row.duration_us))
    return " · ".join(facts)


def _interaction(call: Interaction, shown: set[tuple[str, str]], cells: int) -> Iterator[Line]:
    yield from _asked(call, shown, cells)
    for message in call.output:
        shown.add((message.role, _digest(message)))
        yield from _message(message, cells)
    yield from _trouble(call, cells)


def _asked(call: Interaction, shown: set[tuple[str, str]], cells: int) -> Iterator[Line]:
    folded = 0
    system = [Message("system", call.system)] if call.system else []
    for message in [*system, *call.input]:
        mark = (message.role, _digest(message))
        if mark in shown:
            folded += 1
            continue
        shown.add(mark)
        if folded:
            yield _folded(folded)
            folded = 0
        yield from _message(message, cells)
    if folded:
        yield _folded(folded)


def _trouble(call: Interaction, cells: int) -> Iterator[Line]:
    if call.error_type or call.error_message:
        yield line(("  ! FAILED ", "bad"), (call.error_type or "", "bad"))
        for text in wrap(call.error_message or "", cells - 4):
            yield line("    ", (text, "bad"))
    if call.stream_aborted:
        yield line(("  ! the stream broke off before its end", "warn"))
    for gap in call.gaps:
        for text in wrap(f"~ {gap_words(gap)}", cells - 2):
            yield line("  ", (text, "warn"))


def _folded(number: int) -> Line:
    return line((f"  ⋯ {plural(number, 'earlier message')} sent again, shown above", "dim"))


def _message(message: Message, cells: int) -> Iterator[Line]:
    word, role = _ROLES.get(message.role, (message.role.upper(), "plain"))
    if message.role != "tool" or not message.parts:
        yield line("  ", (word, role))
    for part in message.parts:
        yield from _part(part, cells)


def _part(part: Part, cells: int) -> Iterator[Line]:
    if part.type == "tool_call":
        yield line("  ", ("TOOL CALL ", "tool"), (part.name or "(unnamed)", "strong"), _id(part))
        yield from _text(_pretty(part.text), cells, 6)
    elif part.type == "tool_call_response":
        yield line("  ", ("TOOL RESULT ", "tool"), (part.name or "", "strong"), _id(part))
        yield from _text(_pretty(part.text), cells, 6)
    elif part.type == "reasoning":
        yield line("    ", ("reasoning", "dim"))
        yield from _text(part.text, cells, 6)
    elif part.type == "text":
        yield from _text(part.text, cells, 4)
    else:
        named = " ".join(filter(None, [part.type, part.mime_type, part.name, part.id]))
        yield line("    ", (f"[{named}]", "dim"))
        yield from _text(part.text, cells, 6)


def _id(part: Part) -> tuple[str, Role]:
    return (f"  {part.id}" if part.id else "", "dim")


def _text(text: str, cells: int, indent: int) -> Iterator[Line]:
    if not text:
        return
    for made in wrap(text[:MAX_PART], cells - indent):
        yield line(" " * indent + made)
    if len(text) > MAX_PART:
        yield line((f"{' ' * indent}… {len(text) - MAX_PART:,} more characters", "warn"))
    hidden = reveal(text[:MAX_PART])
    if hidden:
        said = next((f", one says: {found.text}" for found in hidden if found.text), "")
        for made in wrap(
            f"! {plural(len(hidden), 'hidden run')} in this text{said}", cells - indent
        ):
            yield line(" " * indent, (made, "bad"))


def _pretty(text: str) -> str:
    """JSON laid out when it is JSON; anything else, and anything large, as it stands."""
    if len(text) > 20_000 or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def _digest(message: Message) -> str:
    return repr([(p.type, p.name, p.text) for p in message.parts])
