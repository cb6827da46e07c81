"""The rendered data set: the same bytes for the same seed, bodies that hold together, actions that differ in what moves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.data.pixel_clips import open_pixels
from pose_attention_ros.data.rendered import drawing
from pose_attention_ros.data.rendered.clips import RenderConfig, render_clip
from pose_attention_ros.data.rendered.figure import LAYOUT, Body, View, joints_in_space
from pose_attention_ros.data.rendered.motions import ACTIONS, acted

ROW = {joint: row for row, joint in enumerate(LAYOUT.joints)}
SMALL = RenderConfig(clips=10, frames=6, size=64)


def path_length(xyz: np.ndarray, joint: str) -> float:
    """Of a joint against the hips, over (T, V, 3)."""
    hips = (xyz[:, ROW["left_hip"]] + xyz[:, ROW["right_hip"]]) / 2
    return float(np.linalg.norm(np.diff(xyz[:, ROW[joint]] - hips, axis=0), axis=-1).sum())


def height(xyz: np.ndarray, *joints: str) -> np.ndarray:
    """(T,) mean height of the joints above the ground."""
    return np.mean([xyz[:, ROW[joint], 1] for joint in joints], 0)


def performances(action: str, count: int = 12) -> list[np.ndarray]:
    times_s = np.arange(32) / 16
    return [joints_in_space(Body(), acted(action, times_s, np.random.default_rng([7, n]))) for n in range(count)]


@given(st.sampled_from(list(ACTIONS)), st.integers(0, 10_000))
def test_bones_keep_their_length_and_the_feet_never_sink(action, seed):
    rng = np.random.default_rng(seed)
    body = Body.drawn(rng, 0.2)
    xyz = joints_in_space(body, acted(action, np.arange(20) / 10, rng))
    for side in ("left", "right"):
        for begin, end, length in (
            ("shoulder", "elbow", body.upper_arm),
            ("elbow", "wrist", body.forearm),
            ("hip", "knee", body.thigh),
            ("knee", "ankle", body.shank),
        ):
            bone = xyz[:, ROW[f"{side}_{end}"]] - xyz[:, ROW[f"{side}_{begin}"]]
            np.testing.assert_allclose(np.linalg.norm(bone, axis=-1), length, rtol=1e-9)
    lowest = np.minimum(height(xyz, "left_ankle"), height(xyz, "right_ankle"))
    assert lowest.min() > -1e-9
    if action not in ("jump", "jumping_jack"):
        np.testing.assert_allclose(lowest, 0, atol=1e-9)


@pytest.mark.parametrize(
    "action, moves, rests",
    [
        ("wave_left_hand", ("left_wrist",), ("right_wrist", "left_ankle", "right_ankle")),
        ("wave_right_hand", ("right_wrist",), ("left_wrist", "left_ankle", "right_ankle")),
        ("wave_both_hands", ("left_wrist", "right_wrist"), ("left_ankle", "right_ankle")),
        ("drink_left_hand", ("left_wrist",), ("right_wrist", "left_ankle")),
        ("drink_right_hand", ("right_wrist",), ("left_wrist", "right_ankle")),
        ("walk", ("left_ankle", "right_ankle"), ()),
        ("jumping_jack", ("left_wrist", "right_wrist", "left_ankle", "right_ankle"), ()),
    ],
)
def test_the_joints_of_an_action_move_and_the_others_sway(action, moves, rests):
    for xyz in performances(action):
        least = min(path_length(xyz, joint) for joint in moves)
        assert least > 0.15
        assert all(path_length(xyz, joint) < least / 2 for joint in rests), action


@pytest.mark.parametrize("action, joints, least", [("squat", ("left_hip", "right_hip"), 0.06), ("jump", ("head",), 0.09)])
def test_the_whole_body_goes_down_and_up(action, joints, least):
    assert all(np.ptp(height(xyz, *joints)) > least for xyz in performances(action))


def test_one_leg_kicks():
    for xyz in performances("kick"):
        left, right = (path_length(xyz, f"{side}_ankle") for side in ("left", "right"))
        assert max(left, right) > 4 * min(left, right)


def test_a_drinking_hand_goes_up_to_the_face_and_down():
    for xyz in performances("drink_left_hand"):
        away = np.linalg.norm(xyz[:, ROW["left_wrist"]] - xyz[:, ROW["head"]], axis=-1)
        assert away.min() < 0.3 and np.ptp(away) > 0.1


def test_the_figure_is_painted_where_its_joints_are():
    """On black: every joint is covered, and nothing is farther from the joints than a body is thick."""
    rng = np.random.default_rng(3)
    view = View(20.0, 10.0, 150.0, (100.0, 100.0))
    for action in ACTIONS:
        joints_px, depths = view(joints_in_space(Body(), acted(action, np.array([0.0, 0.4]), rng)))
        image = np.zeros((200, 200, 3), np.uint8)
        clothes = drawing.Clothes.drawn(rng)
        drawing.figure(image, joints_px[1], depths[1], Body(), clothes, view.height_px, view.yaw_deg)
        rows, columns = np.nonzero(image.any(-1))
        for joint in joints_px[1]:
            assert image[round(joint[1]), round(joint[0])].any()
        low, high = joints_px[1].min(0) - 0.12 * 150, joints_px[1].max(0) + 0.12 * 150
        assert (low <= (columns.min(), rows.min())).all() and (high >= (columns.max(), rows.max())).all()


def test_the_same_seed_gives_the_same_bytes_and_each_clip_stands_alone():
    one, again = render_clip(SMALL, 3), render_clip(SMALL, 3)
    assert np.array_equal(one.images_bgr, again.images_bgr) and np.array_equal(one.keypoints_px, again.keypoints_px)
    assert np.array_equal(one.images_bgr, render_clip(RenderConfig(clips=500, frames=6, size=64), 3).images_bgr)
    assert not np.array_equal(one.images_bgr, render_clip(RenderConfig(frames=6, size=64, seed=1), 3).images_bgr)


def test_a_clip_is_what_it_was_on_other_machines():
    """Numbers written down elsewhere: the generator's stream and the geometry may not change unnoticed."""
    clip = render_clip(SMALL, 3)
    expected = json.loads((Path(__file__).parent / "rendered_clip_3.json").read_text())
    assert clip.label == expected["label"]
    np.testing.assert_allclose(clip.keypoints_px[2], expected["keypoints_px"], atol=2e-3)
    blocks = clip.images_bgr[2].reshape(4, 16, 4, 16, 3).mean((1, 3))
    np.testing.assert_allclose(blocks, expected["block_means_bgr"], atol=0.5)


def test_hidden_joints_have_no_score():
    config = RenderConfig(frames=8, size=64, occluded=1.0)
    clips = [render_clip(config, number) for number in range(12)]
    hidden = np.concatenate([clip.scores == 0 for clip in clips])
    assert 0.01 < hidden.mean() < 0.5
    outside = np.concatenate([((clip.keypoints_px < 0) | (clip.keypoints_px >= 65)).any(-1) for clip in clips])
    assert hidden[outside].all()
    assert (hidden & ~outside).any()
    free = RenderConfig(frames=8, size=64, occluded=0.0, largest=0.5, smallest=0.4)
    assert np.concatenate([render_clip(free, number).scores for number in range(12)]).mean() > 0.97


@pytest.mark.slow
def test_the_command_writes_a_balanced_data_set_that_reads_back(tmp_path, capsys):
    out = tmp_path / "drawn"
    assert (
        main(
            [
                "data",
                "render",
                str(out),
                "--clips",
                "200",
                "--frames",
                "2",
                "--size",
                "48",
                "--json",
                str(tmp_path / "summary.json"),
            ]
        )
        == 0
    )
    assert "200 clips, 400 frames" in capsys.readouterr().out
    data = open_pixels(out)
    assert len(data) == 200 and data.skeletons.joints == LAYOUTS["common13"].joints
    assert all(parts == {"train": 12, "val": 3, "test": 5} for parts in data.skeletons.counts().values())
    wanted = render_clip(RenderConfig(clips=200, frames=2, size=48), 17)
    found = data[17]
    assert np.array_equal(found.images_bgr, wanted.images_bgr) and np.array_equal(found.keypoints_px, wanted.keypoints_px)
    assert (found.label, found.split, found.fps) == (wanted.label, wanted.split, 8.0)
    assert np.array_equal(data.images(17, [1]), wanted.images_bgr[1:])
    assert json.loads((tmp_path / "summary.json").read_text())["clips"] == 200


def test_options_out_of_range_are_refused(tmp_path, capsys):
    assert main(["data", "render", str(tmp_path), "--size", "20"]) == 1
    assert "size is 20, expected 48 to 1024 px" in capsys.readouterr().err
