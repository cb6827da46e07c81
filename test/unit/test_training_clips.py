"""Recipes that train on whole clips: what they see, official splits, and the result of several of them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pose_attention_ros.cli.main import main  # noqa: E402
from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.data.clip_views import ClipConfig, mirrored_features, seen_anew  # noqa: E402
from pose_attention_ros.data.dataset import Clip, SkeletonDataset  # noqa: E402
from pose_attention_ros.data.label_rules import DataRule  # noqa: E402
from pose_attention_ros.inference.recogniser import load_recogniser  # noqa: E402
from pose_attention_ros.training.corpus import load_corpus  # noqa: E402
from pose_attention_ros.training.loop import CHECKPOINT, Trainer  # noqa: E402
from pose_attention_ros.training.recipe import load_recipe  # noqa: E402

pytestmark = pytest.mark.training

LAYOUT = layout("penn13")
AS_IT_IS = ClipConfig(
    mirror=0, rotation_deg=0, stretch=0, shear=0, offset=0, noise=0, joint_drop=0, slowest=1, fastest=1, trim=0
)
RECIPE = """
model_id: tiny
data: {moves: {val_share: 0.3}}
classes: labels
official_splits: [1, 2]
model: {layout: penn13, width: 8, heads: 1, hidden: 0, dropout: 0.0, streams: 8, head: 16, graph_convolution: false,
        pooling: false}
train: {epochs: 6, batch: 8, learning_rate: 0.01, average: 0.9}
clips: {rotation_deg: 5.0}
smoothing: {min_cutoff_hz: 100.0, velocity_cutoff_hz: 100.0}
"""


def clip(ticks: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((ticks, len(LAYOUT.joints), 5)).astype(np.float32)
    features[0, :, 2:4] = 0
    features[..., -1] = 1
    return features * (rng.uniform(size=features.shape[:-1]) < 0.9)[..., None]


def test_without_any_change_a_clip_is_seen_as_it_is():
    clips = [clip(5), clip(9, 1), clip(2, 2)]
    features, ticks = seen_anew(clips, np.random.default_rng(0), LAYOUT, AS_IT_IS)
    assert ticks.tolist() == [5, 9, 2] and features.shape == (3, 9, 13, 5)
    for b, wanted in enumerate(clips):
        np.testing.assert_allclose(features[b, : len(wanted)], wanted, atol=1e-6)
        assert not features[b, len(wanted) :].any()


@given(seed=st.integers(0, 2**31), lengths=st.lists(st.integers(2, 40), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_whatever_changes_a_missing_joint_stays_all_zero(seed, lengths):
    clips = [clip(n, seed + i) for i, n in enumerate(lengths)]
    features, ticks = seen_anew(clips, np.random.default_rng(seed), LAYOUT, ClipConfig())
    assert np.isfinite(features).all() and (ticks >= 1).all()
    assert not features[features[..., -1] == 0].any()
    assert set(np.unique(features[..., -1])) <= {0.0, 1.0}
    np.testing.assert_array_equal(mirrored_features(mirrored_features(features, LAYOUT), LAYOUT), features)


def test_a_faster_replay_is_shorter_and_quicker():
    steady = np.zeros((21, 13, 5), np.float32)
    steady[..., 0], steady[1:, :, 2], steady[..., -1] = np.arange(21)[:, None] / 15, 1, 1  # 1 body unit a second
    twice = ClipConfig(**{**AS_IT_IS.__dict__, "slowest": 2.0, "fastest": 2.0})
    features, ticks = seen_anew([steady], np.random.default_rng(0), LAYOUT, twice)
    assert ticks.tolist() == [11]
    np.testing.assert_allclose(features[0, 1:, :, 2], 2, atol=1e-5)
    np.testing.assert_allclose(np.diff(features[0, :, 0, 0]) * 15, 2, atol=1e-4)


@given(seed=st.integers(0, 2**31), longest=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_no_more_of_a_clip_is_shown_than_wanted(seed, longest):
    _, ticks = seen_anew([clip(40, 1), clip(4)], np.random.default_rng(seed), LAYOUT, ClipConfig(longest=longest))
    assert (1 <= ticks).all() and (ticks <= longest).all()


def moves() -> SkeletonDataset:
    """Arms up or a bow; the second official split is the first turned round."""
    # fmt: off
    upright = np.array([[0, -1.5], [0.25, -1], [-0.25, -1], [0.3, -0.5], [-0.3, -0.5], [0.3, 0], [-0.3, 0], [0.15, 0],
                        [-0.15, 0], [0.15, 0.85], [-0.15, 0.85], [0.15, 1.7], [-0.15, 1.7]])
    # fmt: on
    rng, clips = np.random.default_rng(0), []
    for i in range(48):
        motion, time = np.zeros((12, 13, 2)), np.linspace(0, 1, 12)[:, None]
        if i % 2:
            motion[:, 5:7, 1] = -2 * time
        else:
            motion[:, :7, 0] = 0.8 * time
        keypoints = ((upright + motion) * 80 + 300 + rng.normal(0, 1, motion.shape)).astype(np.float32)
        parts = ("train", "test") if i < 24 else ("test", "train")
        clips.append(
            Clip(
                keypoints,
                np.ones((12, 13), np.float32),
                ("bow", "up")[i % 2],
                15.0,
                parts[0],
                f"person{i}",
                official_splits=parts,
            )
        )
    return SkeletonDataset.from_clips(clips, LAYOUT.joints)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    moves().save(folder / "moves.npz")
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


def train(project, out, *more):
    return main(
        ["train", str(project / "tiny.yaml"), "--data", str(project / "moves.npz"), "--out", str(project / out), *more]
    )


@pytest.fixture(scope="module")
def both_splits(project):
    assert train(project, "run", "--numbers-only") == 0
    return project / "run"


def test_official_splits_are_trained_in_turn_and_averaged(project, both_splits):
    result = json.loads((project / "run" / "result.json").read_text())
    parts = [json.loads((project / "run" / f"split{k}" / "result.json").read_text()) for k in (1, 2)]
    assert list(result["official_splits"].values()) == parts and result["classes"] == ["bow", "up"]
    assert result["test"]["accuracy"] == pytest.approx(np.mean([part["test"]["accuracy"] for part in parts]), abs=1e-4)
    assert result["test"]["accuracy"] > 0.9 and result["test"]["clips"] == 48 and "test_unknown" not in parts[0]
    assert 0 <= result["test"]["calibration_error"] <= 1
    assert set(result["test"]["accuracy_by_observed_fraction"]) == {f"{f / 10:.1f}" for f in range(1, 11)}


def test_a_class_seen_rarely_is_given_its_share_back_at_the_end(project, tmp_path):
    recipe = load_recipe(project / "tiny.yaml")
    corpus = load_corpus(recipe, {"moves": project / "moves.npz"}, official_split=1)
    rare = next(entry for entry in corpus.part("train") if entry.example.target == 1)
    often = [entry for entry in corpus.part("train") if entry.example.target == 0][:7]
    uneven = dataclasses.replace(corpus, entries=(rare, *often, *corpus.part("val")))

    def bias(prior: float) -> torch.Tensor:
        train = dataclasses.replace(recipe.train, prior=prior, epochs=2)
        for _ in range(2):  # the second time resumes what is finished
            trainer = Trainer(dataclasses.replace(recipe, train=train), uneven, 0, tmp_path / str(prior))
            trainer.fit()
        return trainer.average.classify.bias.detach()

    torch.testing.assert_close(bias(0.5) - bias(0.0), -0.5 * torch.tensor([7 / 8, 1 / 8]).log())


def test_one_official_split_alone_gives_the_same_model_and_the_robots_numbers(project, both_splits):
    """Its model is exported, too, which takes longer than the training."""
    alone = project / "second"
    assert train(project, "second", "--official-split", "2") == 0
    first, second = (torch.load(run / CHECKPOINT, weights_only=True)["average"] for run in (both_splits / "split2", alone))
    assert first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())
    result = json.loads((alone / "result.json").read_text())
    assert json.loads((both_splits / "split2" / "result.json").read_text())["test"] == result["test"]
    model = alone / "tiny"
    assert load_recogniser(str(model)).spec.classes == ("bow", "up")

    # Whoever evaluates the model does so on the official split that it was trained on.
    command = ["evaluate", "clips", "--data", str(project / "moves.npz"), "--model", str(model), "--split", "test"]
    assert main([*command, "--json", str(alone / "found.json")]) == 0
    assert json.loads((alone / "found.json").read_text())["confusion"] == result["test"]["confusion"]


def test_another_official_split_is_not_taken_for_the_rest_of_this_one(project, both_splits, capsys):
    assert (
        main(
            [
                "train",
                str(project / "tiny.yaml"),
                "--data",
                str(project / "moves.npz"),
                "--official-split",
                "2",
                "--numbers-only",
                "--out",
                str(both_splits / "split1"),
            ]
        )
        == 1
    )
    assert "is of another recipe, seed, data or official split" in capsys.readouterr().err


def test_a_committee_goes_on_where_it_was_cut_short(project, both_splits):
    """Members have seeds of their own; the same command again trains only the one that is not finished, in its own process,
    to the same numbers."""
    (project / "many.yaml").write_text(RECIPE.replace("epochs: 6", "epochs: 2, members: 2"))
    command = [
        "train",
        str(project / "many.yaml"),
        "--data",
        str(project / "moves.npz"),
        "--out",
        str(project / "many"),
        "--official-split",
        "2",
        "--numbers-only",
    ]
    assert main([*command, "--jobs", "1"]) == 0
    result = json.loads((project / "many" / "result.json").read_text())
    one = json.loads((project / "run" / "split2" / "result.json").read_text())
    assert result["parameters"] == 2 * one["parameters"] and not (project / "many" / "tiny").exists()
    assert result["history"] != result["history_of_other_members"][0]
    (project / "many" / "member1" / "checkpoint.pt").unlink()
    before = (project / "many" / "member0" / "checkpoint.pt").read_bytes()
    assert main(command) == 0
    again = json.loads((project / "many" / "result.json").read_text())
    assert (project / "many" / "member0" / "checkpoint.pt").read_bytes() == before
    assert again["test"] == result["test"] and again["history_of_other_members"] == result["history_of_other_members"]


@given(share=st.sampled_from([0.1, 0.25, 0.3]), group=st.text(max_size=9))
def test_a_training_group_is_kept_back_by_one_member_at_most(share, group):
    rule = DataRule(val_share=share)
    kept = [rule.split_of("train", group, part) for part in range(int(1 / share))]
    assert kept.count("val") <= 1 and set(kept) <= {"train", "val"}
    assert rule.split_of("train", group, int(1 / share)) == kept[0] == rule.split_of("train", group)
    assert rule.split_of("test", group, 1) == "test"


@pytest.mark.parametrize(
    "edit, arguments, message",
    [
        (("official_splits: [1, 2]", "official_splits: []"), ["--official-split", "3"], "official split 3 was asked for"),
        (("classes: labels", "classes: all"), [], "expected a mapping from class"),
        (("clips: {rotation_deg: 5.0}", "clips: {rotation: 5.0}"), [], "clips has unknown keys rotation"),
        (("official_splits: [1, 2]", "official_splits: [1, 3]"), [], "official split 3 was asked for"),
        (("official_splits: [1, 2]", "official_splits: 1"), [], "official_splits is 1, expected a list"),
        (("val_share: 0.3", "val_share: 0"), [], "no training clip is kept back for validation"),
        (("val_share: 0.3", "val_share: ten"), [], "data.moves.val_share is 'ten', expected a number from 0 to 1"),
        (("average: 0.9}", "average: 0.9, balance: 1.0}"), [], "train.balance is for streams"),
        (("streams: 8", "streams: 8, motion_lags: [0, 1]"), [], "motion_lags is [0, 1], expected whole numbers"),
        (
            ("average: 0.9}\nclips: {rotation_deg: 5.0}", "average: 0.9, prior: 1.0}"),
            [],
            "train.prior is for recipes of whole",
        ),
    ],
)
def test_recipes_with_a_mistake(project, capsys, edit, arguments, message):
    assert edit[0] in RECIPE
    (project / "wrong.yaml").write_text(RECIPE.replace(*edit))
    assert (
        main(["train", str(project / "wrong.yaml"), "--data", str(project / "moves.npz"), "--out", "unused", *arguments])
        == 1
    )
    assert message in capsys.readouterr().err
