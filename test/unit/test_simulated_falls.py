"""Simulated sequences: bodies that stay whole and on the floor, falls that take as long as people's, labels without gaps."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.data.motion3d.compact import read_motions
from pose_attention_ros.data.simulated.body import BONES, INDEX, JOINTS, ROOT, Body, directions_of, frames_of, from_root
from pose_attention_ros.data.simulated.falls import CAUSES, begin
from pose_attention_ros.data.simulated.poses import SIT, STAND, mirrored, pose, tilt_and_directions
from pose_attention_ros.data.simulated.ragdoll import Tumbles, tumble
from pose_attention_ros.data.simulated.sequences import LABELS, SimulationConfig, as_arrays, simulate

pytestmark = pytest.mark.slow

CONFIG = SimulationConfig(sequences=48, bodies=20, seed=3)
HIP, NECK, HEAD = ROOT, INDEX["neck"], INDEX["head"]


@pytest.fixture(scope="module")
def sequences():
    return simulate(CONFIG)


def falls_of(sequences):
    """(joints of the fall (n, 20, 3), its sequence) of each that has one."""
    for sequence in sequences:
        falling = np.isin(sequence.labels, ("topple", "fall"))
        if falling.any():
            yield sequence.joints_m[falling], sequence


@pytest.mark.slow
def test_bones_keep_their_lengths_and_bodies_differ(sequences):
    children, parents = (list(side) for side in zip(*BONES, strict=True))
    heights = []
    for sequence in sequences:
        bones = np.linalg.norm(sequence.joints_m[:, children] - sequence.joints_m[:, parents], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-4
        heights.append(bones[0].sum())
    assert max(heights) > 1.3 * min(heights)
    bodies = [Body.drawn(np.random.default_rng(i)) for i in range(300)]
    assert min(b.height_m for b in bodies) >= 1.1 and max(b.height_m for b in bodies) <= 1.95
    assert {b.kind for b in bodies} == {"adult", "child", "old"}


def test_nobody_is_under_the_floor_or_flies(sequences):
    for sequence in sequences:
        heights = sequence.joints_m[..., 1]
        assert heights.min() > -0.03
        assert heights.min(axis=1).max() < 0.75  # a bed is as high as it gets
        assert heights.max() < 2.6
        speed = np.linalg.norm(np.diff(sequence.joints_m, axis=0), axis=-1) * sequence.fps
        assert speed.max() < 16


def test_labels_cover_every_frame_and_sequences_last_as_stated(sequences):
    seen = set()
    for sequence in sequences:
        assert len(sequence.labels) == len(sequence.joints_m) and set(sequence.labels) <= set(LABELS)
        assert 6 <= len(sequence.labels) / sequence.fps <= 15.1
        seen |= set(sequence.labels)
    assert seen >= {"stand", "walk", "sit", "fall", "lie", "get_up", "other"}


def test_falls_end_low_and_take_as_long_as_falls_do(sequences):
    down_s, slow_s, beds = [], [], 0
    for joints, sequence in falls_of(sequences):
        height = max(sequence.joints_m[:, HEAD, 1].max(), 1.0)
        if joints[-1, HIP, 1] > 0.33:  # onto a bed
            beds += 1
            assert joints[-1, HIP, 1] < 0.7 and abs(joints[-1, NECK, 1] - joints[-1, HIP, 1]) < 0.45
            continue
        assert joints[-1, HIP, 1] < 0.33 and joints[-1, NECK, 1] < 0.5 * height
        low = np.flatnonzero((joints[:, HIP, 1] < 0.33) & (joints[:, NECK, 1] < 0.5 * height))
        assert 1 <= len(joints) / 30 <= 4.6
        (slow_s if sequence.fall in ("slump", "slide", "roll") else down_s).append(low[0] / 30)
    assert 1 <= beds < (len(down_s) + len(slow_s)) / 2
    assert 0.4 <= np.median(down_s) <= 1.2 and np.percentile(down_s, 90) < 1.8
    assert np.median(slow_s) > 0.4 and max(slow_s) < 4


def test_the_pelvis_is_moved_by_gravity_not_by_magic(sequences):
    """Away from contacts (only the feet near the ground, the legs not yet folded) it speeds up as a falling body may."""
    seen = []
    feet = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")]
    rest = [i for i in range(len(JOINTS)) if i not in feet]
    for joints, sequence in falls_of(sequences):
        if sequence.fall in ("roll", "tip", "slide"):
            continue  # these touch furniture
        accelerations = np.linalg.norm(np.diff(joints[:, HIP], 2, axis=0), axis=-1) * 900 / 9.81
        free = (joints[1:-1, rest, 1].min(axis=1) > 0.15) & (joints[1:-1, HIP, 1] > 0.4 * joints[0, HEAD, 1])
        seen += accelerations[free].tolist()
    assert len(seen) > 100
    assert np.percentile(seen, 98) < 1.5 and max(seen) < 3
    assert np.median(seen) > 0.2


def test_who_has_fallen_lies_and_stays_down_until_getting_up(sequences):
    """After a fall nobody rises while the label says `lie`, but for those who ended half sitting and sink down."""
    upright = []
    for sequence in sequences:
        lying = np.array(sequence.labels) == "lie"
        trunk = sequence.joints_m[lying, NECK] - sequence.joints_m[lying, HIP]
        upright += (trunk[:, 1] / np.linalg.norm(trunk, axis=-1) > 0.8).tolist()
    assert len(upright) > 3000 and np.mean(upright) < 0.02


def test_falls_go_in_all_directions_and_for_all_reasons(sequences):
    kinds = {sequence.fall for sequence in sequences}
    assert len(kinds & {*CAUSES, "trip", "tip", "slide", "roll"}) >= 6
    quarters = set()
    for joints, sequence in falls_of(sequences):
        if sequence.fall == "roll":
            continue
        left, _, forward = np.moveaxis(frames_of(joints[0]), -1, 0)
        moved = (joints[-1, NECK] - joints[0, NECK]) * (1, 0, 1)
        quarters.add(round(np.arctan2(moved @ left, moved @ forward) / (np.pi / 2)) % 4)
    assert quarters == {0, 1, 2, 3}


def test_people_walk_forward_and_their_feet_stay_where_they_stand(sequences):
    slid, went = [], []
    for sequence in sequences:
        walking = np.flatnonzero(np.array(sequence.labels) == "walk")
        joints = sequence.joints_m[walking]
        if len(joints) < 60:
            continue
        ahead = frames_of(joints)[:, :, 2]
        steps = np.diff(joints[:, HIP], axis=0)
        went.append((steps * ahead[1:] * (1, 0, 1)).sum() / len(joints) * 30)
        feet = joints[:, [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")]]
        slid.append(np.linalg.norm(np.diff(feet, axis=0), axis=-1).min(axis=1).mean() * 30)
    assert len(went) >= 3 and min(went) > 0 and 0.2 < np.median(went) < 1.8
    assert np.median(slid) < 0.35 * np.median(went) + 0.05


def test_a_seed_repeats_and_another_differs():
    first, again = (simulate(SimulationConfig(sequences=4, seed=5, falling=0.0)) for _ in range(2))
    assert all(np.array_equal(a.joints_m, b.joints_m) and a.labels == b.labels for a, b in zip(first, again, strict=True))
    other = simulate(SimulationConfig(sequences=1, seed=6, falling=0.0))
    assert not np.array_equal(first[0].joints_m[0], other[0].joints_m[0])
    begun = [[begin(rng, Body.drawn(rng)) for rng in map(np.random.default_rng, range(3))] for _ in range(2)]
    fallen = [
        tumble(Tumbles(**{name: np.stack([one.row[name] for one in some]) for name in some[0].row}), 12) for some in begun
    ]
    assert np.array_equal(*fallen) and np.ptp(fallen[0][:, :, HIP, 1], axis=1).max() > 0.01


def test_poses_are_what_they_say():
    tilt, bones = tilt_and_directions(np.stack([STAND, SIT, pose(arm_flex=90), mirrored(pose(arm_abd_l=90))]))
    joints = from_root(bones, np.full(len(BONES), 0.3)) @ tilt.transpose(0, 2, 1)
    at = {name: joints[:, i] for name, i in INDEX.items()}
    assert at["left_knee"][0, 1] < at["left_hip"][0, 1] - 0.29  # stands
    assert abs(at["left_knee"][1, 1] - at["left_hip"][1, 1]) < 0.03 and at["left_ankle"][1, 1] < at["left_knee"][1, 1] - 0.29
    assert at["left_wrist"][2, 2] > 0.59  # an arm held forward
    assert at["right_elbow"][3, 0] < at["right_shoulder"][3, 0] - 0.29  # and to the right
    assert np.allclose(
        directions_of(joints), (bones / np.linalg.norm(bones, axis=-1, keepdims=True)) @ tilt.transpose(0, 2, 1)
    )


def test_the_command_writes_a_compact_3d_file(tmp_path, capsys):
    out = tmp_path / "falls.npz"
    assert (
        main(
            ["data", "simulate", "falls", str(out), "--sequences", "4", "--falling", "0", "--json", str(tmp_path / "s.json")]
        )
        == 0
    )
    assert "4 sequences" in capsys.readouterr().out
    wanted = as_arrays(simulate(SimulationConfig(sequences=4, falling=0.0)))
    with np.load(out, allow_pickle=False) as file:
        assert set(file.files) == {"xyz", "offsets", "action", "sequence", "subject", "fps", "joints"}
        assert all(np.array_equal(file[name], wanted[name]) for name in file.files)
        assert file["offsets"][-1] == len(file["xyz"]) and len(file["offsets"]) == len(file["action"]) + 1
        assert tuple(file["joints"]) == JOINTS and file["xyz"].dtype == np.float32
        same = file["sequence"][1:] == file["sequence"][:-1]
        assert (file["action"][1:][same] != file["action"][:-1][same]).all()
    assert [motion.label for motion in read_motions(out)] == wanted["action"].tolist()  # what imports such files reads it
    assert json.loads((tmp_path / "s.json").read_text())["sequences"] == 4


def test_options_out_of_range_are_refused(tmp_path, capsys):
    assert main(["data", "simulate", "falls", str(tmp_path / "x.npz"), "--sequences", "0"]) == 1
    assert "sequences is 0, expected 1" in capsys.readouterr().err


def test_a_fall_is_told_from_just_before_the_body_is_down_until_a_while_after(sequences):
    for sequence in sequences:
        labels, heights = np.array(sequence.labels), sequence.joints_m[:, [HIP, NECK], 1]
        if "fall" in labels:
            told, end = heights[labels == "fall"], np.flatnonzero(labels == "fall")[-1]
            assert len(told) >= 1.3 * sequence.fps
            assert np.abs(heights[end - 15 : end + 1] - heights[end]).max() < 0.3  # it lies
            assert (heights[labels == "topple"] > told[-1] + 0.05).any(1).all()
        else:
            assert "topple" not in labels
