"""What rough conditions make of a clip, and the test of what attention names, on a recogniser whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.actions.recogniser import ModelSpec, StepOutput
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.types import FEATURE_NAMES
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.evaluation import attention, robustness
from pose_attention_ros.evaluation.clips import Answers, ShownClip

LAYOUT = layout("common13")
WRIST = LAYOUT.index("left_wrist")


def clip(frames: int = 40, fps: float = 30.0) -> ShownClip:
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.standard_normal((frames, 13, 2)), 0).astype(np.float32)
    return ShownClip(np.arange(frames) / fps, path, np.full((frames, 13), 0.8, np.float32), 50.0)


@pytest.mark.parametrize("name", robustness.CHANGES)
@pytest.mark.parametrize("frames", [1, 2, 40])
def test_a_changed_clip_is_still_a_clip_and_the_same_for_the_same_seed(name, frames):
    before = clip(frames)
    one, other = (robustness.CHANGES[name](before, np.random.default_rng(5), LAYOUT) for _ in range(2))
    assert len(one.time_s) == len(one.keypoints) == len(one.scores) >= 1
    assert (np.diff(one.time_s) > 0).all() and one.time_s[0] == before.time_s[0]
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    np.testing.assert_array_equal(one.time_s, other.time_s)


def test_what_each_change_does():
    before, rng = clip(400), np.random.default_rng(0)
    assert 150 < len(robustness.half_dropped(before, rng, LAYOUT).time_s) < 250
    assert (robustness.jittered(before, rng, LAYOUT).keypoints == before.keypoints).all()
    assert len(robustness.at_rate(before, 10.0).time_s) == 134
    np.testing.assert_allclose(robustness.at_rate(before, 30.0).keypoints, before.keypoints, atol=1e-3)
    missing = (robustness.one_limb_missing(before, rng, LAYOUT).scores == 0).all(0)
    assert missing.sum() == 2 and len({LAYOUT.joints[i].split("_")[0] for i in np.flatnonzero(missing)}) == 1
    twice = robustness.in_a_mirror(robustness.in_a_mirror(before, rng, LAYOUT), rng, LAYOUT)
    np.testing.assert_array_equal(twice.keypoints, before.keypoints)
    noise = robustness.noisy(robustness.TREMBLE)(before, rng, LAYOUT).keypoints - before.keypoints
    assert noise[:, WRIST].std() == pytest.approx(robustness.TREMBLE["wrist"] * before.unit_px, rel=0.1)


class LeftWristHigh:
    """Class 1 if the left wrist was high in the second half of what was seen; says that it looks at the left wrist then."""

    spec = ModelSpec(
        "wrist",
        "0" * 64,
        ("low", "high"),
        LAYOUT,
        FEATURE_NAMES,
        rate_hz=10.0,
        state_size=2,
        decay_per_s=0.0,
        attention_window_s=3.0,
        temperature=1.0,
        threshold=0.6,
    )

    def step(self, features, state, pixels=None):
        there = features[:, WRIST, 4] > 0
        lifted = np.where(there & (features[:, WRIST, 1] < -1), 1.0, 0.0)
        state = state + np.stack([lifted, np.ones_like(lifted)], 1)
        joints = np.full((len(features), 13), 0.02, np.float32)
        joints[:, WRIST] = 1 - 12 * 0.02
        evidence = state[:, 0] - 5
        return StepOutput(
            np.stack([-evidence, evidence], 1).astype(np.float32),
            joints,
            (4 * lifted).astype(np.float32),
            state.astype(np.float32),
        )


def lifted_clips(count: int = 12) -> list[np.ndarray]:
    clips = np.zeros((count, 30, 13, 5), np.float32)
    clips[..., 4] = 1
    clips[:, 18:, WRIST, 1] = -2
    return list(clips)


@pytest.mark.slow
def test_taking_away_what_a_truthful_model_names_hurts_more_than_chance():
    ticks = lifted_clips()
    result = attention.faithfulness(LeftWristHigh(), ticks, [1] * len(ticks), seed=0)
    one = result["joints"]["1"]
    assert one["named"]["points"] > 90 and one["least"]["points"] == 0
    assert one["named_minus_random"]["low"] > 50
    cut = result["moments"]["0.3"]
    assert cut["named"]["points"] > cut["random"]["points"] > cut["least"]["points"] == 0
    maps = attention.class_maps(attention.watch(LeftWristHigh(), ticks, [1] * 12), [1] * 12, ("low", "high"))
    assert maps["high"][WRIST] == pytest.approx(0.76, abs=1e-3)


@given(count=st.integers(1, 6), seed=st.integers(0, 99))
def test_joints_are_chosen_by_their_weights(count, seed):
    rng = np.random.default_rng(seed)
    weights = rng.permutation(13) / 78
    named, least, drawn = (attention.chosen_joints(kind, weights, count, rng) for kind in ("named", "least", "random"))
    assert weights[named].min() > np.delete(weights, named).max() and weights[least].max() < np.delete(weights, least).min()
    assert len(set(drawn.tolist())) == count


@given(length=st.integers(2, 60), share=st.sampled_from(attention.TICKS_CUT), seed=st.integers(0, 99))
def test_as_many_moments_go_whichever_are_chosen(length, share, seed):
    rng = np.random.default_rng(seed)
    weights = rng.permutation(length) + 1.0
    cuts = [attention.chosen_ticks(kind, weights, share, rng) for kind in attention.KINDS]
    assert len({int(cut.sum()) for cut in cuts}) == 1 and 1 <= cuts[0].sum() < length
    assert weights[cuts[0]].min() > weights[~cuts[0]].max() and weights[cuts[2]].max() < weights[~cuts[2]].min()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, extra, written",
    [
        ("clips", ["--robustness"], {"confusion.png", "early.png", "reliability.png"}),
        ("attention", ["--clips", "3"], {"faithfulness.png", "attention_maps.png"}),
    ],
)
def test_the_commands_write_numbers_and_pictures(kind, extra, written, tmp_path):
    rng = np.random.default_rng(0)
    body = rng.uniform(0, 200, (1, 13, 2))
    scores = np.ones((20, 13), np.float32)
    clips = [
        Clip((body + 20 * rng.standard_normal((20, 1, 2))).astype(np.float32), scores, label, 30.0)
        for label in ("walk", "run", "walk", "jump", "fly")
    ]
    SkeletonDataset.from_clips(clips, LAYOUT.joints).save(tmp_path / "data.npz")
    (tmp_path / "map.yaml").write_text("walk: walk\nrun: run\njump: jump\nfly: null\n")
    assert (
        main(
            [
                "evaluate",
                kind,
                "--data",
                str(tmp_path / "data.npz"),
                "--model",
                "everyday",
                "--label-map",
                str(tmp_path / "map.yaml"),
                "--json",
                str(tmp_path / "out.json"),
                "--out",
                str(tmp_path / "out"),
                *extra,
            ]
        )
        == 0
    )
    result = json.loads((tmp_path / "out.json").read_text())
    if kind == "clips":
        assert set(result["robustness"]) == set(robustness.CHANGES) and set(result["no_class_by_label"]) == {"fly"}
        assert sum(row["clips"] for row in result["reliability"]) == result["clips"] == 4
    else:
        assert len(next(iter(result["class_maps"].values()))) == 13
    pytest.importorskip("matplotlib")
    assert {path.name for path in (tmp_path / "out").iterdir()} == written


def test_who_knows_postures_is_asked_for_what_was_done_before_the_rest_at_a_clips_end():
    classes = ("low", "high", "still")
    acting, resting = np.array([[4, 0, 0]], np.float32), np.array([[0, 0, 6]], np.float32)
    said = {}
    for name, postures, shown in (("last", (), {0}), ("asked", ("still",), {0}), ("shown", ("still",), {0, 2})):
        answers = Answers(classes, postures, 1.0, 1, shown)
        for logits in [acting] * 8 + [resting] * 30:
            said[name] = answers.after(np.array([0]), logits)[0]
    assert said["last"].argmax() == said["shown"].argmax() == 2
    assert said["asked"].argmax() == 0 and said["asked"].dtype == np.float32
