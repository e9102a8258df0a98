"""What an attacker can write: frames, groups and leaves with every checksum right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from logstore.formats import frame, group
from logstore.formats.group import Group
from logstore.formats.leaf import Leaf, encode, leaf_hash, parse


def groups_of(data: bytes) -> tuple[bytes, list[Group]]:
    """The header frame's bytes and the groups of a write-ahead file."""
    head, *rest = frame.scan(data)
    return data[: head.end], [group.parse(each.payload) for each in rest]


def wal_bytes(header: bytes, groups: Sequence[Group]) -> bytes:
    frames = (
        frame.encode(frame.WAL_GROUP, group.encode(g.first, g.leaves, g.note, g.sealed))
        for g in groups
    )
    return header + b"".join(frames)


def regrouped(change: Callable[[list[Group]], list[Group]]) -> Callable[[bytes], bytes]:
    """An edit of a write-ahead file that changes its groups and mends every checksum."""

    def edit(data: bytes) -> bytes:
        header, groups = groups_of(data)
        return wal_bytes(header, change(groups))

    return edit


def with_leaves(taken: Group, leaves: Sequence[bytes]) -> Group:
    return replace(taken, leaves=list(leaves))


def chained(leaves: Sequence[Leaf], prev: bytes, first: int) -> list[bytes]:
    """Leaves again, with positions and hash chain made right."""
    made = []
    for offset, leaf in enumerate(leaves):
        made.append(encode(msgspec.structs.replace(leaf, index=first + offset, prev=prev)))
        prev = leaf_hash(made[-1])
    return made


def parsed(leaves: Sequence[bytes]) -> list[Leaf]:
    return [parse(each) for each in leaves]
