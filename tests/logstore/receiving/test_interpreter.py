"""The endpoint's settings of the interpreter are its own, while it serves."""

from __future__ import annotations

import gc
import sys

import pytest

from logstore.receiving.interpreter import COLLECT, SWITCH_S, responsive, settle


def test_threads_wait_less_and_garbage_is_sought_rarely_while_it_serves() -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    with responsive():
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        assert gc.get_threshold() == COLLECT
        assert gc.isenabled()
    assert (sys.getswitchinterval(), gc.get_threshold()) == before


def test_what_is_loaded_is_left_out_of_searches() -> None:
    try:
        settle()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
