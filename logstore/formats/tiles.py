"""Tiles: a tree as files of 256 hashes each, for any static web server (C2SP tlog-tiles).

    tile/<L>/<N>[.p/<W>]         hashes of level L: 32 bytes each
    tile/entries/<N>[.p/<W>]     the leaves under tile N of level 0: u16be length || leaf, each

N is written in groups of three digits, all but the last with an 'x' before them. A tile with fewer
than 256 hashes is partial and says its width W; nothing above is computed from it. Tiles follow
from the log byte by byte, so they can be thrown away and made again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from logstore.errors import FormatError
from logstore.formats.leaf import MAX_LEAF
from logstore.formats.spelling import parse_decimal
from logstore.formats.treehash import HASH, MAX_SIZE, root

TILE_HEIGHT = 8
"""Levels of the tree in one tile."""

TILE_WIDTH = 2**TILE_HEIGHT
"""Hashes in a full tile."""

ENTRIES = -1
"""The level of entry bundles, which stand beside level 0."""

MAX_LEVEL = 63
"""Highest level a tile path may name."""

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """The place of one tile or entry bundle.

    Attributes:
        level: 0 for leaf hashes, each level above has the roots of full tiles below; `ENTRIES`
            for a bundle of leaves.
        index: position within the level, from 0.
        width: hashes or leaves in it, 1 to 256.

    Raises:
        FormatError: there is no such tile.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not ENTRIES <= self.level <= MAX_LEVEL or not 1 <= self.width <= TILE_WIDTH:
            raise FormatError(f"no tile is {self.width} wide on level {self.level}")
        if not 0 <= self.index <= MAX_SIZE:
            raise FormatError(f"tile index {self.index} is out of range")

    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{index_path(self.index)}{partial}"


def index_path(index: int) -> str:
    """A tile index in groups of three digits: 1234067 is ``x001/x234/067``."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))


def parse_tile_path(path: str) -> Tile:
    """Read a tile's path.

    Raises:
        FormatError: not exactly the path of a tile.
    """
    match = _PATH.fullmatch(path) if len(path) <= 100 else None
    if match is None:
        raise FormatError("not the path of a tile")
    level, index, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(index.replace("/", "").replace("x", "")),
        TILE_WIDTH if width is None else parse_decimal(width, "tile width"),
    )
    if tile.path() != path:
        raise FormatError("the path of a tile is not in its one spelling")
    return tile


def new_tiles(old_size: int, new_size: int) -> Iterator[Tile]:
    """The hash tiles that a log must write when it grows, level by level.

    A tile that was partial and has grown is among them, under its new width only.

    Args:
        old_size: leaves before; 0 gives every tile of the new tree.
        new_size: leaves now.

    Raises:
        FormatError: the log would shrink, or a size is out of range.
    """
    for level, index, width in new_spans(old_size, new_size, TILE_HEIGHT):
        yield Tile(level, index, width)


def new_spans(old_size: int, new_size: int, height: int) -> Iterator[tuple[int, int, int]]:
    """`new_tiles` as (level, index, width) for tiles of any height.

    Raises:
        FormatError: the log would shrink, or a size is out of range.
    """
    if not 0 <= old_size <= new_size <= MAX_SIZE:
        raise FormatError(f"a log does not grow from {old_size} to {new_size}")
    level, full = 0, 1 << height
    while new := new_size >> level * height:
        old = old_size >> level * height
        first = old >> height if old != new else new
        for index in range(first, -(-new // full)):
            yield level, index, min(full, new - index * full)
        level += 1


def new_bundles(old_size: int, new_size: int) -> Iterator[Tile]:
    """The entry bundles that a log must write when it grows.

    Raises:
        FormatError: the log would shrink, or a size is out of range.
    """
    for tile in new_tiles(old_size, new_size):
        if tile.level:
            return
        yield Tile(ENTRIES, tile.index, tile.width)


def raise_level(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes one tile level up: the roots of the full tiles; a partial last tile has none."""
    full = len(hashes) - len(hashes) % TILE_WIDTH
    return [root(hashes[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)]


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """A tile's bytes.

    Raises:
        FormatError: not 1 to 256 hashes of 32 bytes.
    """
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(each) != HASH for each in hashes):
        raise FormatError(f"a tile has 1 to {TILE_WIDTH} hashes of {HASH} bytes")
    return b"".join(hashes)


def parse_tile(data: bytes, tile: Tile) -> list[bytes]:
    """The hashes of a tile.

    Raises:
        FormatError: the length does not fit the tile's width.
    """
    if len(data) != tile.width * HASH:
        raise FormatError(f"{tile.path()} is {len(data)} bytes long, not {tile.width * HASH}")
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def encode_bundle(leaves: Sequence[bytes]) -> bytes:
    """An entry bundle's bytes.

    Raises:
        FormatError: not 1 to 256 leaves, or one is too long.
    """
    if not 1 <= len(leaves) <= TILE_WIDTH or any(len(leaf) > MAX_LEAF for leaf in leaves):
        raise FormatError(f"a bundle has 1 to {TILE_WIDTH} leaves of at most {MAX_LEAF} bytes")
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def parse_bundle(data: bytes, tile: Tile) -> list[bytes]:
    """The leaves of an entry bundle.

    Raises:
        FormatError: not exactly `tile.width` leaves.
    """
    leaves, at = [], 0
    for _ in range(tile.width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if len(data) < max(end, at + 2):
            raise FormatError(f"{tile.path()} is cut off")
        leaves.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise FormatError(f"{tile.path()} has bytes after its last leaf")
    return leaves
