from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logstore.query.calls import join_roots
from logstore.query.engine import Engine


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25))
def test_records_that_share_any_key_are_one_call_also_through_a_third(
    keys: list[tuple[int, int]],
) -> None:
    index = np.arange(100, 100 + len(keys), dtype=np.int64)
    columns = [np.array([key[at] for key in keys], dtype=np.uint64) for at in (0, 1)]
    roots = join_roots(index, [[column] for column in columns])
    expected = list(range(len(keys)))
    changed = True
    while changed:
        changed = False
        for a, one in enumerate(keys):
            for b, two in enumerate(keys):
                same = any(x and x == y for x, y in zip(one, two, strict=True))
                if same and expected[a] > expected[b]:
                    expected[a], changed = expected[b], True
    assert (roots - 100).tolist() == expected


def test_a_gateway_log_a_span_and_an_event_are_counted_once(engine: Engine) -> None:
    rows = list(
        engine.sql(
            "SELECT index, interaction_id, is_primary FROM interactions WHERE index >= 7"
        ).rows
    )
    assert sorted(rows) == [(7, 7, True), (8, 7, False), (9, 7, False)]
    counted = engine.sql("SELECT count(*) FROM interactions WHERE is_primary")
    assert list(counted.rows) == [(6,)]


def test_a_star_brings_the_call_too(engine: Engine) -> None:
    result = engine.sql("SELECT * FROM interactions WHERE index = 9")
    assert result.table.column("interaction_id").to_pylist() == [7]
