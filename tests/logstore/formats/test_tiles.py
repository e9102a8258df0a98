"""Tiles: paths, arithmetic, bytes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import FormatError
from logstore.formats import merkle, tiles
from logstore.formats.checkpoint import peek_checkpoint
from logstore.formats.tiles import ENTRIES, Tile, parse_tile_path


def vectors(shared_data: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared_data / "vectors" / name).read_text())
    return loaded


def test_tile_paths_of_the_go_tools_are_read_as_ours_once_their_height_is_dropped(
    shared_data: Path,
) -> None:
    read = refused = 0
    for path, place in vectors(shared_data, "golang_sumdb.json")["tile_paths"]:
        _, _, rest = path.split("/", 2)
        ours = "tile/" + rest.replace("data/", "entries/")
        if place is None:
            with pytest.raises(FormatError):
                parse_tile_path(ours)
            refused += 1
            continue
        height, level, index, width = place
        width = tiles.TILE_WIDTH if width == 2**height else width
        assert parse_tile_path(ours) == Tile(level, index, width)
        assert Tile(level, index, width).path() == ours
        read += 1
    assert (read, refused) == (6, 2)


def test_the_examples_of_the_specification_hold(shared_data: Path) -> None:
    examples = vectors(shared_data, "c2sp_examples.json")
    index, path = examples["tile_index_example"]
    assert tiles.index_path(index) == path
    example = examples["tile_example"]
    every = list(tiles.new_tiles(0, example["tree_size"]))
    for level in (0, 1):
        mine = [tile.width for tile in every if tile.level == level]
        assert mine.count(256) == example[f"level{level}_full"]
        assert mine[-1] == example[f"level{level}_partial"]
        assert len(mine) == example[f"level{level}_full"] + 1
    assert [tile.width for tile in every if tile.level == 2] == [example["level2_partial"]]
    assert [tile.path() for tile in tiles.new_tiles(0, 256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert [tile.path() for tile in tiles.new_bundles(3, 5)] == ["tile/entries/000.p/5"]
    assert [tile.path() for tile in tiles.new_bundles(0, 257)] == [
        "tile/entries/000",
        "tile/entries/001.p/1",
    ]


def test_a_growing_log_writes_as_many_tiles_as_the_go_tools_do(shared_data: Path) -> None:
    cases = vectors(shared_data, "golang_sumdb.json")["new_tiles_H10"]
    for old, new, count in cases:
        assert len(list(tiles.new_spans(old, new, 10))) == count, (old, new)
    assert len(cases) == 7


def test_the_tiles_of_a_foreign_mirror_make_the_root_it_cosigned(shared_data: Path) -> None:
    mirror = vectors(shared_data, "sunlight_skylight_cosignatures.json")
    checkpoint = peek_checkpoint(mirror["mirror_checkpoint"].encode())
    files = {path: base64.b64decode(data) for path, data in mirror["mirror_tiles_b64"].items()}
    wanted = list(tiles.new_tiles(0, checkpoint.size))
    assert [tile.path() for tile in wanted] == list(files)
    hashes = {tile: tiles.parse_tile(files[tile.path()], tile) for tile in wanted}
    leaves = hashes[wanted[0]] + hashes[wanted[1]]
    assert len(leaves) == 300
    assert merkle.root(leaves) == checkpoint.root
    assert tiles.raise_level(leaves) == hashes[wanted[2]]
    assert tiles.encode_tile(leaves[:256]) == files["tile/0/000"]


@given(st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_every_tile_path_comes_back(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_tile_path(tile.path()) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/-1/000",
        "tile/entries/1000",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/" + "x001/" * 30 + "000",
    ],
)
def test_what_is_no_tile_path_is_refused(path: str) -> None:
    with pytest.raises(FormatError):
        parse_tile_path(path)


@given(old=st.integers(0, 2**18), grown=st.integers(0, 3000))
def test_old_tiles_and_new_ones_together_are_all_tiles_of_the_grown_log(
    old: int, grown: int
) -> None:
    new = old + grown
    before = {(t.level, t.index): t.width for t in tiles.new_tiles(0, old)}
    after = {(t.level, t.index): t.width for t in tiles.new_tiles(0, new)}
    written = {(t.level, t.index): t.width for t in tiles.new_tiles(old, new)}
    assert before | written == after
    assert all(before.get(place) != width for place, width in written.items())
    for level in range(4):
        width = sum(w for (at, _), w in after.items() if at == level)
        assert width == new // 256**level


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_of_leaves_come_back_and_nothing_may_follow_or_lack(leaves: list[bytes]) -> None:
    bundle, tile = tiles.encode_bundle(leaves), Tile(ENTRIES, 3, len(leaves))
    assert tiles.parse_bundle(bundle, tile) == leaves
    for bad in (bundle + b"\0", bundle[:-1], b""):
        with pytest.raises(FormatError):
            tiles.parse_bundle(bad, tile)


def test_what_does_not_fit_a_tile_or_bundle_is_refused() -> None:
    for hashes in ([], [bytes(32)] * 257, [b"short"]):
        with pytest.raises(FormatError):
            tiles.encode_tile(hashes)
    for leaves in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(FormatError):
            tiles.encode_bundle(leaves)
    with pytest.raises(FormatError, match="bytes long"):
        tiles.parse_tile(bytes(33), Tile(0, 0, 1))
    for level, index, width in ((-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(FormatError):
            Tile(level, index, width)
    with pytest.raises(FormatError, match="does not grow"):
        list(tiles.new_tiles(5, 4))
