"""Ranges of an object that lies elsewhere: asked for once, together, and nothing else is read."""

from __future__ import annotations

import pytest

from logstore.errors import FormatError
from logstore.storage.rangedfile import RangedFile

DATA = bytes(range(256)) * 4096  # a megabyte


class Elsewhere:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, length: int) -> bytes:
        self.asked.append((start, length))
        return DATA[start : start + length]


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def file(elsewhere: Elsewhere) -> RangedFile:
    return RangedFile(elsewhere.fetch, len(DATA))


def test_what_was_brought_is_read(file: RangedFile) -> None:
    file.bring([(1000, 3000), (500_000, 500_100)])
    assert file.part(1500, 1510) == DATA[1500:1510]
    assert file.part(500_000, 500_100) == DATA[500_000:500_100]
    assert file.held == 2100


def test_what_was_not_brought_can_not_be_read(file: RangedFile, elsewhere: Elsewhere) -> None:
    file.bring([(1000, 3000)])
    for start, end in ((0, 10), (2990, 3010), (3000, 3001)):
        with pytest.raises(FormatError, match="not asked for"):
            file.part(start, end)
    assert elsewhere.asked == [(1000, 2000)]


def test_ranges_that_lie_together_are_one_request(file: RangedFile, elsewhere: Elsewhere) -> None:
    file.bring([(2000, 3000), (0, 1000), (3000, 4000), (300_000, 300_001)])
    assert sorted(elsewhere.asked) == [(0, 4000), (300_000, 1)]


def test_nothing_is_asked_for_twice(file: RangedFile, elsewhere: Elsewhere) -> None:
    file.bring([(0, 4000)])
    file.bring([(100, 200), (0, 4000)])
    assert file.missing([(100, 200)]) == []
    assert len(elsewhere.asked) == 1


def test_a_longer_range_is_asked_for_whole(file: RangedFile) -> None:
    file.bring([(0, 1000)])
    file.bring([(500, 200_000)])
    assert file.part(500, 200_000) == DATA[500:200_000]


@pytest.mark.parametrize("span", [(-1, 5), (5, 5), (6, 5), (len(DATA) - 1, len(DATA) + 1)])
def test_no_range_of_it(file: RangedFile, elsewhere: Elsewhere, span: tuple[int, int]) -> None:
    with pytest.raises(FormatError, match="does not have"):
        file.bring([span])
    assert elsewhere.asked == []


@pytest.mark.parametrize("came", [b"", b"short", b"much longer than it should be"])
def test_another_length_than_asked_for(came: bytes) -> None:
    file = RangedFile(lambda *_: came, len(DATA))
    with pytest.raises(FormatError, match="came"):
        file.bring([(0, 10)])
