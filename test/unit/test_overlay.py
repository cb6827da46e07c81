"""The drawing: never touches its input, always stays inside the image, and shows what it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.types import UNKNOWN_LABEL, ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.visualization.overlay import Overlay, OverlayConfig
from pose_attention_ros.visualization.palette import attention_colours, attention_levels, attention_scale
from pose_attention_ros.visualization.plates import person_plate, place
from pose_attention_ros.visualization.text import put_mask, text_mask

LAYOUT = LAYOUTS["common13"]
V = len(LAYOUT.joints)
# fmt: off
BODY = np.array([[0, -1.6], [0.3, -1], [-0.3, -1], [0.5, -0.5], [-0.5, -0.5], [0.6, 0], [-0.6, 0], [0.2, 0], [-0.2, 0],
                 [0.2, 0.9], [-0.2, 0.9], [0.2, 1.8], [-0.2, 1.8]], np.float32)
# fmt: on


def graphs_of(*roots_px, scale_px: float = 50.0, image_size=(640, 480), mask=None) -> SkeletonGraphs:
    """People of one shape standing at the given points; track ids from 1."""
    people = len(roots_px)
    roots = np.array(roots_px, np.float32).reshape(people, 2)
    nodes = np.broadcast_to(BODY, (people, V, 2))
    reach = np.array([0.7, 1.9]) * scale_px
    return SkeletonGraphs(
        0,
        "",
        LAYOUT,
        image_size,
        np.arange(1, people + 1),
        nodes,
        np.zeros((people, V, 5)),
        np.ones((people, V), bool) if mask is None else mask,
        np.ones(people),
        roots,
        np.full(people, scale_px),
        np.concatenate([roots - reach, roots + reach], 1) if people else np.zeros((0, 4)),
    )


def estimate_of(
    track_id: int,
    state: LabelState = LabelState.CONFIRMED,
    label: str = "walk",
    important: str = "left_wrist",
    moments: int = 20,
) -> ActionEstimate:
    joints = np.full(V, 0.02, np.float32)
    joints[LAYOUT.index(important)] = 1 - 0.02 * (V - 1)
    frames = np.linspace(1, 2, moments, dtype=np.float32)
    shown = label if state is LabelState.CONFIRMED else UNKNOWN_LABEL
    return ActionEstimate(
        track_id,
        shown,
        state,
        0.8,
        np.array([0.8, 0.2]),
        0,
        0,
        0,
        joints,
        frames / frames.sum(),
        np.arange(moments, dtype=np.int64) * 100_000_000,
    )


def actions_of(*people: ActionEstimate) -> ActionEstimates:
    return ActionEstimates(0, "", LAYOUT, ("walk", "run"), "test", "0" * 64, people)


def grey_image(width: int = 640, height: int = 480) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_the_input_is_never_modified():
    image = grey_image()
    drawn = Overlay().draw(image, graphs_of((300, 240)), actions_of(estimate_of(1)))
    assert (image == 128).all() and drawn is not image and drawn.shape == image.shape and drawn.dtype == np.uint8
    assert (drawn != 128).any()


@pytest.mark.parametrize("actions", [None, actions_of()])
def test_an_empty_scene_is_left_as_it_is(actions):
    image = grey_image()
    drawn = Overlay(OverlayConfig(legend=False)).draw(image, graphs_of(), actions)
    assert drawn is not image and (drawn == image).all()


@pytest.mark.parametrize("height,min_height,factor", [(480, 400, 1), (288, 400, 2), (120, 400, 4), (120, 0, 1)])
def test_small_images_are_enlarged_by_a_whole_factor(height, min_height, factor):
    image = grey_image(height * 4 // 3, height)
    drawn = Overlay(OverlayConfig(min_height=min_height)).draw(image, graphs_of(), None)
    assert drawn.shape == (height * factor, height * 4 // 3 * factor, 3)


def test_coordinates_follow_the_size_that_the_graphs_were_made_for():
    half, whole = grey_image(640, 480), grey_image(1280, 960)
    graphs = graphs_of((200, 240), image_size=(640, 480))
    seen = [np.argwhere((Overlay().draw(image, graphs) != 128).any(-1)).mean(0) / image.shape[:2] for image in (half, whole)]
    np.testing.assert_allclose(seen[0], seen[1], atol=0.03)


def pixel(image: np.ndarray, graphs: SkeletonGraphs, joint: str, person: int = 0) -> list[int]:
    x, y = graphs.keypoints_px()[person, LAYOUT.index(joint)]
    return image[round(float(y)), round(float(x))].tolist()


def test_joints_have_the_colour_of_their_attention():
    graphs = graphs_of((300, 240))
    drawn = Overlay().draw(grey_image(), graphs, actions_of(estimate_of(1, important="right_ankle")))
    assert pixel(drawn, graphs, "right_ankle") == attention_scale()[255].tolist()
    assert pixel(drawn, graphs, "left_ankle") == attention_colours(np.array([0.02 / 0.76]))[0]


def test_missing_joints_and_their_limbs_are_not_drawn():
    mask = np.ones((1, V), bool)
    mask[0, [LAYOUT.index("left_wrist"), LAYOUT.index("left_elbow")]] = False
    graphs = graphs_of((300, 240), scale_px=60, mask=mask)
    drawn = Overlay().draw(grey_image(), graphs, actions_of(estimate_of(1)))
    assert pixel(drawn, graphs, "left_wrist") == pixel(drawn, graphs, "left_elbow") == [128] * 3
    assert pixel(drawn, graphs, "right_wrist") != [128] * 3


@pytest.mark.parametrize("state", [LabelState.WARMING_UP, LabelState.UNKNOWN])
def test_people_without_a_label_are_dimmed(state):
    graphs = graphs_of((300, 240))
    saturation = [
        np.ptp(
            Overlay(OverlayConfig(legend=False))
            .draw(grey_image(), graphs, actions_of(estimate_of(1, each)))[170:330]
            .astype(int),
            axis=-1,
        ).sum()
        for each in (LabelState.CONFIRMED, state)
    ]
    assert saturation[1] < 0.8 * saturation[0]


@pytest.mark.parametrize("root", [(-500, 240), (5000, -5000), (0, 0), (639, 479), (320, -60), (1e9, 1e9)])
def test_people_outside_the_image_are_drawn_without_harm(root):
    drawn = Overlay().draw(grey_image(), graphs_of(root), actions_of(estimate_of(1)))
    assert drawn.shape == (480, 640, 3)


@settings(max_examples=60)
@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.floats(-100, 300),
    st.floats(-100, 300),
    st.floats(0.01, 300),
    st.integers(1, 3),
)
def test_any_image_size_and_any_person_can_be_drawn(width, height, x, y, scale_px, moments):
    graphs = graphs_of((x, y), (y, x), scale_px=scale_px, image_size=(width, height))
    actions = actions_of(estimate_of(1, moments=moments), estimate_of(2, LabelState.UNKNOWN, moments=moments))
    drawn = Overlay(OverlayConfig(min_height=0)).draw(grey_image(width, height), graphs, actions)
    assert drawn.shape == (height, width, 3)


def test_estimates_are_matched_by_track_id():
    graphs = graphs_of((150, 240), (450, 240))
    drawn = Overlay(OverlayConfig(legend=False)).draw(grey_image(), graphs, actions_of(estimate_of(2)))
    assert pixel(drawn, graphs, "left_wrist", person=1) == attention_scale()[255].tolist()
    assert pixel(drawn, graphs, "left_wrist", person=0) != attention_scale()[255].tolist()


@given(st.lists(st.tuples(st.floats(-50, 700), st.floats(-50, 500)), min_size=1, max_size=6))
def test_plates_stay_inside_the_image(corners):
    taken: list = []
    for x, y in corners:
        left, top = place((120, 30), np.array([x, y, x + 40, y + 100]), (640, 480), taken, 3)
        assert 0 <= left <= 520 and 0 <= top <= 450
        taken.append((left, top, left + 120, top + 30))


def test_plates_of_people_who_stand_together_do_not_overlap():
    taken: list = []
    for x in (300, 310, 320, 330):
        left, top = place((120, 30), np.array([x, 200, x + 40, 320]), (640, 480), taken, 3)
        assert all(left >= r or left + 120 <= other or top >= b or top + 30 <= t for other, t, r, b in taken)
        taken.append((left, top, left + 120, top + 30))


def test_the_strip_shows_the_newest_moment_on_the_right():
    plate = person_plate(1, estimate_of(1), 12).pixels
    strip = plate[-12:, 20:-10].astype(int).sum(-1).sum(0)
    assert strip[-5:].mean() > strip[:5].mean()


def test_a_plate_is_wider_with_a_longer_label():
    widths = [person_plate(1, estimate_of(1, label=label), 12).size[0] for label in ("run", "pick_up_something")]
    assert widths[0] < widths[1] and person_plate(1, None, 12).size[0] < widths[0]


def test_even_attention_is_dim_and_peaked_attention_is_bright():
    np.testing.assert_allclose(attention_levels(np.full(V, 1 / V)), 1 / 3)
    peaked = np.eye(V)[0]
    assert attention_levels(peaked).max() == 1
    assert len(attention_levels(np.zeros(0))) == 0


def test_text_is_cut_at_the_border():
    image = grey_image(20, 20)
    put_mask(image, text_mask("walk", 12), (-15, 10), (255, 255, 255))
    put_mask(image, text_mask("walk", 12), (500, 500), (255, 255, 255))
    assert (image[10:] != 128).any() and (image[:10] == 128).all()
