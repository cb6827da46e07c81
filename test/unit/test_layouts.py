"""Layout tables and the maps between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.core.body.adjacency import adjacency
from pose_attention_ros.core.body.layouts import LAYOUTS, PARTS, layout, layout_map

NAMES = sorted(LAYOUTS)


@pytest.mark.parametrize("name", NAMES)
def test_table_is_sound(name):
    table = layout(name)
    assert len(set(table.joints)) == len(table.joints)
    assert (table.mirror[table.mirror] == np.arange(len(table.joints))).all(), "mirroring twice is the identity"
    assert set(table.part_indices) <= set(range(len(PARTS)))
    edges = {frozenset(limb) for limb in table.limbs}
    assert len(edges) == len(table.limbs), "no limb twice"
    mirrored = {frozenset(table.joints[table.mirror[table.index(j)]] for j in limb) for limb in table.limbs}
    assert mirrored == edges, "the body is symmetric"


@pytest.mark.parametrize("name", NAMES)
def test_graph_is_connected_and_symmetric(name):
    a = adjacency(layout(name))
    reach = np.linalg.matrix_power(a + np.eye(len(a)), len(a))
    assert (reach > 0).all()
    np.testing.assert_array_equal(a, a.T)
    assert not a.diagonal().any() and a.sum() == 2 * len(layout(name).limbs)


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_joints_of_the_same_name_are_carried_unchanged(source, target):
    rng = np.random.default_rng(0)
    shape = (3, len(layout(source).joints))
    keypoints, scores = rng.normal(size=(*shape, 2)), rng.uniform(0.1, 1, shape)
    mapped, mapped_scores = layout_map(source, target)(keypoints, scores)
    for row, joint in enumerate(layout(target).joints):
        if joint in layout(source).joints:
            column = layout(source).index(joint)
            np.testing.assert_allclose(mapped[:, row], keypoints[:, column], rtol=1e-6)
            np.testing.assert_allclose(mapped_scores[:, row], scores[:, column], rtol=1e-6)


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_who_has_all_joints_is_read_the_same_beside_somebody_who_has_not(source, target):
    rng = np.random.default_rng(0)
    shape = (2, len(layout(source).joints))
    keypoints, scores = rng.normal(300, 90, (*shape, 2)).astype(np.float32), rng.uniform(0.1, 1, shape).astype(np.float32)
    scores[1, ::2] = 0
    together, alone = (layout_map(source, target)(keypoints[:n], scores[:n]) for n in (2, 1))
    for some, one in zip(together, alone):
        np.testing.assert_allclose(some[0], one[0], rtol=1e-6)
        assert some.dtype == one.dtype == np.float32


def test_head_is_the_middle_of_what_is_seen_of_it():
    coco = layout("coco17")
    keypoints, scores = np.zeros((17, 2), np.float32), np.zeros(17, np.float32)
    keypoints[coco.index("nose")], scores[coco.index("nose")] = (10, 20), 0.8
    keypoints[coco.index("left_ear")], scores[coco.index("left_ear")] = (14, 18), 0.4
    mapped, mapped_scores = layout_map("coco17", "common13")(keypoints, scores)
    head = layout("common13").index("head")
    np.testing.assert_allclose(mapped[head], (12, 19))
    assert mapped_scores[head] == pytest.approx(0.6)


def test_a_neck_needs_both_shoulders_and_is_missing_without():
    table, scores = layout("common13"), np.zeros(13, np.float32)
    scores[table.index("left_shoulder")] = 1
    _, mapped = layout_map("common13", "jhmdb15")(np.ones((13, 2)), scores)
    assert mapped[layout("jhmdb15").index("neck")] == 0
    scores[table.index("right_shoulder")] = 1
    _, mapped = layout_map("common13", "jhmdb15")(np.ones((13, 2)), scores)
    assert mapped[layout("jhmdb15").index("neck")] == 1


@given(source=st.sampled_from(NAMES), target=st.sampled_from(NAMES), seed=st.integers(0, 2**16))
def test_mapping_and_mirroring_commute(source, target, seed):
    rng = np.random.default_rng(seed)
    a, b = layout(source), layout(target)
    keypoints = rng.normal(size=(len(a.joints), 2))
    scores = rng.uniform(0, 1, len(a.joints)) * (rng.uniform(size=len(a.joints)) > 0.3)
    to = layout_map(source, target)
    mapped, mapped_scores = to(keypoints, scores)
    mirrored, mirrored_scores = to(keypoints[a.mirror], scores[a.mirror])
    np.testing.assert_allclose(mirrored, mapped[b.mirror], atol=1e-5)
    np.testing.assert_allclose(mirrored_scores, mapped_scores[b.mirror], atol=1e-6)


def test_missing_joints_hold_no_number_of_the_source():
    keypoints = np.full((13, 2), np.nan, np.float32)
    mapped, scores = layout_map("common13", "coco17")(keypoints, np.zeros(13))
    assert (scores == 0).all() and (mapped == 0).all()


def test_unknown_names_say_what_exists():
    with pytest.raises(ValueError, match="coco17"):
        layout("coco18")
    with pytest.raises(KeyError, match="left_wrist"):
        layout("coco17").index("LWrist")


def test_layouts_of_equal_joints_serve_each_other() -> None:
    """Models of PennAction name their layout otherwise; the composed node asks for the joints."""
    assert layout("penn13").joints == layout("common13").joints
