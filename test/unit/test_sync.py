"""Messages of several topics joined by stamp: complete once, bounded, and what never came is counted by whose it was."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.ros.sync import StampSynchroniser

NAMES = ("graphs", "image")


def test_a_set_comes_out_once_in_the_order_of_the_names():
    sync = StampSynchroniser(NAMES, 4)
    assert sync.add("image", 1, "i1") is None
    assert sync.add("image", 1, "i1 again") is None
    assert sync.add("graphs", 1, "g1") == ("g1", "i1 again")
    assert sync.add("graphs", 1, "late") is None
    assert sync.given_up == 0


def test_images_that_nobody_worked_on_are_not_lost_graphs():
    """A camera is faster than the pose node: most images have no graphs, and every graph has its image."""
    sync = StampSynchroniser(NAMES, 3)
    complete = 0
    for stamp in range(40):
        sync.add("image", stamp, stamp)
        if stamp % 4 == 2:
            complete += sync.add("graphs", stamp - 1, stamp) is not None
    assert complete == 10
    assert sync.given_up_of == Counter(image=40 - 10 - 2)  # 38 and 39 may still be answered


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 12)), max_size=80), st.integers(1, 5))
def test_a_set_is_always_of_one_stamp_and_few_wait(arrivals, size):
    """Each name and stamp comes once; what neither came out nor was counted is at most `size` sets that still wait."""
    sync, complete, arrivals = StampSynchroniser(NAMES, size), 0, list(dict.fromkeys(arrivals))
    for name, stamp in arrivals:
        found = sync.add(name, stamp, (name, stamp))
        if found is not None:
            assert found[0][1] == found[1][1] == stamp and [part[0] for part in found] == list(NAMES)
            complete += 1
    waiting = len(arrivals) - 2 * complete - sum(sync.given_up_of.values())
    assert 0 <= waiting <= size


@pytest.mark.parametrize("name", NAMES)
def test_whose_it_was(name):
    sync = StampSynchroniser(NAMES, 1)
    sync.add(name, 1, None)
    sync.add("image", 2, None)
    assert sync.given_up_of == Counter({name: 1})
