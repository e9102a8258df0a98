"""Skip bitmaps: which groups of records can possibly hold a text.

For each group of 2,048 records one map of 2^20 bits; bit h(g) is set for every run g of four
consecutive bytes of the group's folded texts. A group whose map lacks a bit of the needle cannot
hold the needle; one that has them all may. So the search reads fewer groups and never finds less.

Folding is DuckDB's own `lower`, for texts and needle alike: it maps code point by code point, so
whatever a search finds, with or without letter case, folds into what was mapped here.
Bitmaps tell about content and are kept with it, inside the encrypted part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

GRAM = 4
"""Bytes of one gram; shorter needles cannot use the maps."""

BITS = 2**20
"""Bits of one group's map."""

_MULTIPLIER = 2_654_435_761  # Knuth's 32-bit golden ratio
_SHIFT = 12


def grams(text: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Bit positions of every four-byte run of `text`, in order, repeats included."""
    import numpy as np

    if len(text) < GRAM:
        return np.empty(0, dtype=np.uint32)
    wide = text.astype(np.uint32)
    hashed = wide[: -GRAM + 1].copy()
    for offset in range(1, GRAM):
        hashed |= wide[offset : len(wide) - GRAM + 1 + offset] << np.uint32(8 * offset)
    hashed *= np.uint32(_MULTIPLIER)
    hashed >>= np.uint32(_SHIFT)
    return hashed


class GroupMap:
    """The map of one group while it is being filled."""

    def __init__(self) -> None:
        import numpy as np

        self._set = np.zeros(BITS, dtype=np.bool_)

    def add(self, texts: pa.Array[Any] | pa.ChunkedArray[Any]) -> None:
        """Add a column of folded texts. Runs across two rows only add bits, never remove any."""
        import numpy as np
        import pyarrow as pa

        chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        for chunk in chunks:
            data = chunk.cast(pa.large_string())
            ends, text = data.buffers()[1:]
            if ends is None or text is None or not len(data):
                continue
            offsets = np.frombuffer(memoryview(ends), dtype=np.int64)
            low, high = offsets[data.offset], offsets[data.offset + len(data)]
            folded = np.frombuffer(memoryview(text), dtype=np.uint8)[low:high]
            self._set[grams(folded)] = True

    def to_bytes(self) -> bytes:
        """The map, compressed."""
        import numpy as np
        import pyarrow as pa

        packed = np.packbits(self._set, bitorder="little").tobytes()
        return bytes(pa.compress(packed, codec="zstd", asbytes=True))


class PartMaps:
    """All maps of one part, ready to be asked."""

    def __init__(self, stored: list[bytes]) -> None:
        import numpy as np
        import pyarrow as pa

        self._maps = np.empty((len(stored), BITS // 8), dtype=np.uint8)
        for group, data in enumerate(stored):
            plain = pa.decompress(data, BITS // 8, codec="zstd", asbytes=True)
            self._maps[group] = np.frombuffer(plain, dtype=np.uint8)

    @property
    def size(self) -> int:
        """Bytes held in memory."""
        return int(self._maps.nbytes)

    def candidates(self, folded_needle: bytes) -> NDArray[np.bool_]:
        """For each group whether it may hold the needle; all True for needles under 4 bytes."""
        import numpy as np

        positions = np.unique(grams(np.frombuffer(folded_needle, dtype=np.uint8)))
        bits = (np.uint8(1) << (positions & np.uint32(7)).astype(np.uint8)).astype(np.uint8)
        may = np.ones(len(self._maps), dtype=np.bool_)
        for byte, bit in zip(positions >> np.uint32(3), bits, strict=True):
            may &= (self._maps[:, byte] & bit) != 0
            if not may.any():
                break
        return may
