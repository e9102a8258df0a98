from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.query.skipbitmap import BITS, GroupMap, PartMaps

texts = st.lists(st.text(max_size=30), min_size=1, max_size=6)


def fold(text: str) -> str:
    row = duckdb.execute("SELECT lower(?::VARCHAR)", [text]).fetchone()
    assert row is not None
    return str(row[0])


def maps_of(groups: list[list[str]]) -> PartMaps:
    stored = []
    for group in groups:
        made = GroupMap()
        made.add(pa.array([fold(text) for text in group]))
        stored.append(made.to_bytes())
    return PartMaps(stored)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), st.data())
def test_a_group_that_holds_the_needle_is_never_skipped(
    groups: list[list[str]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(groups) - 1))
    text = data.draw(st.sampled_from(groups[place]))
    start = data.draw(st.integers(0, len(text)))
    needle = text[start : data.draw(st.integers(start, len(text)))]
    for spelled in (needle, fold(needle)):
        assert maps_of(groups).candidates(fold(spelled).encode())[place]


def test_what_no_group_holds_skips_every_group() -> None:
    maps = maps_of([["the quick brown fox"] * 3, ["jumps over the lazy dog"]])
    assert not maps.candidates(b"zorblatt").any()
    assert maps.candidates(b"lazy").tolist() == [False, True]


def test_a_needle_shorter_than_a_gram_skips_nothing() -> None:
    assert maps_of([["aaaa"], [""]]).candidates(b"zzz").all()


def test_slices_and_missing_texts_are_mapped_by_their_own_bytes_only() -> None:
    column = pa.array(["left side", None, "middle", "right side"])
    made = GroupMap()
    made.add(column.slice(1, 2))
    maps = PartMaps([made.to_bytes()])
    assert maps.candidates(b"middle")[0]
    assert not maps.candidates(b"left")[0]
    assert not maps.candidates(b"right")[0]


@pytest.mark.parametrize("needle", ["İstanbul", "STRASSE", "ΌΔΥΣΣΕΎΣ", "ﬁne", "K2"])
def test_letters_that_fold_oddly_are_found_as_duckdb_folds_them(needle: str) -> None:
    text = f"xx {needle} yy"
    assert maps_of([[text]]).candidates(fold(needle).encode())[0]


def test_a_map_is_an_eighth_of_a_megabyte_and_packs_well() -> None:
    made = GroupMap()
    made.add(pa.array(["some words here"]))
    assert PartMaps([made.to_bytes()]).size == BITS // 8
    assert len(made.to_bytes()) < 1_000
