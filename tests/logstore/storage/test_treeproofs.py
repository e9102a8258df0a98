"""Roots and proofs of every tree that a log had, over seals, blocks and the unsealed tail."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stores import TestStore, chat

from logstore.errors import NotDurable
from logstore.formats.leaf import leaf_hashes
from logstore.formats.merkle import consistency_proof, inclusion_proof, root
from logstore.storage.edge import BLOCK
from logstore.storage.reader import LogReader
from logstore.storage.treeproofs import consistency, inclusion, root_at

SEALED = (BLOCK - 40, BLOCK + 300)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    store = TestStore(tmp_path_factory.mktemp("trees"))
    with store.create() as log:
        for count in (*SEALED, 70):
            assert len(list(log.append_many(chat(f"{n}", "anna") for n in range(count)))) == count
            if count != 70:
                log.seal()
    return store.reader(locked=True)


@pytest.fixture(scope="module")
def hashes(reader: LogReader) -> list[bytes]:
    return leaf_hashes(reader.leaves(0, reader.size))


def _sizes(reader: LogReader) -> list[int]:
    edges = [0, 1, 2, BLOCK, 2 * BLOCK, reader.sealed, reader.pins[0].end, reader.size]
    near = {edge + step for edge in edges for step in (-1, 0, 1, 7)}
    return sorted(size for size in near if 0 <= size <= reader.size)


def test_roots_of_every_kind_of_size(reader: LogReader, hashes: list[bytes]) -> None:
    assert reader.size > reader.sealed > 2 * BLOCK
    for size in _sizes(reader):
        assert root_at(reader, size) == root(hashes[:size]), size


def test_proofs_are_those_of_the_whole_tree(reader: LogReader, hashes: list[bytes]) -> None:
    sizes = [size for size in _sizes(reader) if size]
    for size in sizes:
        for old in (each for each in sizes if each <= size):
            assert consistency(reader, old, size) == consistency_proof(hashes[:size], old)
            index = old - 1
            assert inclusion(reader, index, size) == inclusion_proof(hashes[:size], index)


def test_a_log_that_was_never_sealed(tmp_path: Path) -> None:
    store = TestStore(tmp_path)
    with store.create() as log:
        assert not any(
            isinstance(each, NotDurable)
            for each in log.append_many(chat(f"{n}", "anna") for n in range(BLOCK + 5))
        )
    reader = store.reader(locked=True)
    hashes = leaf_hashes(reader.leaves(0, reader.size))
    for size in (1, 2, BLOCK - 1, BLOCK, BLOCK + 1, reader.size):
        assert root_at(reader, size) == root(hashes[:size])
        assert consistency(reader, 1, size) == consistency_proof(hashes[:size], 1)
