"""Bodies of other proportions: the same motion, other bones."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.body.layouts import LAYOUTS, layout
from pose_attention_ros.data.proportions import proportioned

TABLE = layout("common13")


def motion(dimensions: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    keypoints = np.random.default_rng(seed).standard_normal((6, len(TABLE.joints), dimensions)).astype(np.float32)
    return keypoints, np.ones(keypoints.shape[:2], bool)


def changed(keypoints, mask, spread=0.1, seed=1, table=TABLE):
    return proportioned(keypoints, mask, np.random.default_rng(seed), table, spread)


def bone(keypoints, a, b):
    return keypoints[:, TABLE.index(b)] - keypoints[:, TABLE.index(a)]


def test_bones_keep_their_directions_and_both_sides_are_alike():
    before, mask = motion()
    after = changed(before, mask)
    for ends in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
        shares = [
            bone(after, *(f"{side}_{end}" for end in ends)) / bone(before, *(f"{side}_{end}" for end in ends))
            for side in ("left", "right")
        ]
        assert np.ptp(np.concatenate(shares)) < 1e-3
        assert abs(shares[0].mean() - 1) > 1e-3
    hips = [TABLE.index("left_hip"), TABLE.index("right_hip")]
    np.testing.assert_allclose(after[:, hips].mean(1), before[:, hips].mean(1), atol=1e-5)


def test_in_an_image_as_in_space():
    before, mask = motion()
    np.testing.assert_allclose(changed(before[..., :2], mask), changed(before, mask)[..., :2], atol=1e-5)


def test_what_is_not_seen_moves_nothing():
    before, mask = motion()
    hidden = TABLE.index("left_elbow")
    mask[:, hidden] = False
    other = before.copy()
    other[:, hidden] += 100
    seen = np.arange(len(TABLE.joints)) != hidden
    np.testing.assert_array_equal(changed(before, mask)[:, seen], changed(other, mask)[:, seen])


def test_no_spread_changes_nothing():
    before, mask = motion()
    np.testing.assert_array_equal(changed(before, mask, spread=0), before)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_stays_in_one_piece(name):
    table = layout(name)
    still = np.zeros((2, len(table.joints), 3), np.float32)
    assert not changed(still, np.ones(still.shape[:2], bool), table=table).any()
