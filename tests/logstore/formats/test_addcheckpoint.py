"""Requests to a witness: one spelling, and nothing that is too large gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats.addcheckpoint import MAX_REQUEST, AddCheckpoint, parse_add_checkpoint
from logstore.formats.checkpoint import Checkpoint, sign_checkpoint
from logstore.formats.note import Signer, parse_signature_lines

NOTE = sign_checkpoint(
    Checkpoint("log.example/a", 3, bytes(32)), Signer("log.example/a", b"\1" * 32)
)
REQUESTS = st.builds(
    AddCheckpoint,
    st.integers(0, 2**62),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    st.just(NOTE),
)


@given(REQUESTS)
def test_a_request_is_read_as_it_was_written(request: AddCheckpoint) -> None:
    assert parse_add_checkpoint(request.encode()) == request


def test_the_bytes_are_those_of_the_specification() -> None:
    made = AddCheckpoint(2, (b"\0" * 32,), NOTE).encode()
    assert made == b"old 2\n" + b"A" * 43 + b"=\n\n" + NOTE


@given(REQUESTS, st.data())
def test_another_spelling_is_refused(request: AddCheckpoint, data: st.DataObject) -> None:
    whole = request.encode()
    at = data.draw(st.integers(0, whole.index(b"\n\n")))
    byte = data.draw(st.integers(0, 255))
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    try:
        parsed = parse_add_checkpoint(changed)
    except FormatError:
        return
    assert parsed.encode() == changed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 1\n\n",
        b"old 01\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old 1\r\n\n" + NOTE,
        b"new 1\n\n" + NOTE,
        b"old 1\nAAAA\n\n" + NOTE,
        b"old 1\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + NOTE,
        b"old 9223372036854775807\n\n\n" + NOTE,
        b"old \xff\n\n" + NOTE,
        b"old 1\n\n" + NOTE + b"x" * MAX_REQUEST,
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_add_checkpoint(data)


def test_signature_lines_alone_are_read_strictly() -> None:
    line = NOTE.split(b"\n\n")[1]
    assert parse_signature_lines(line)[0].name == "log.example/a"
    for wrong in (b"", line[:-1], b"\n" + line, b"x" + line, line + b"\n"):
        with pytest.raises(FormatError):
            parse_signature_lines(wrong)
