"""Training of the compared recognisers: schedules, the six steps of Where to Focus (what moves, what is frozen, in which
order), resuming, and a run from a recipe to a model that ONNX Runtime streams."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.cli.main import main  # noqa: E402
from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.core.errors import UserError  # noqa: E402
from pose_attention_ros.data.clip_views import ClipConfig  # noqa: E402
from pose_attention_ros.data.dataset import Clip, SkeletonDataset  # noqa: E402
from pose_attention_ros.inference.recogniser import load_recogniser  # noqa: E402
from pose_attention_ros.models.rpan import Rpan, RpanConfig  # noqa: E402
from pose_attention_ros.models.temporal_attention import TemporalAttention, TemporalAttentionConfig  # noqa: E402
from pose_attention_ros.models.where_to_focus import PARTS, WhereToFocus, WhereToFocusConfig  # noqa: E402
from pose_attention_ros.training.comparators.clips import TickClip  # noqa: E402
from pose_attention_ros.training.comparators.phases import LOG, PhaseTrainer  # noqa: E402
from pose_attention_ros.training.comparators.rpan import RpanTraining, rpan_phases  # noqa: E402
from pose_attention_ros.training.comparators.temporal_attention import TemporalAttentionTraining, temporal_attention_phases  # noqa: E402
from pose_attention_ros.training.comparators.views import (  # noqa: E402
    Views,
    random_ends,
    random_sub_sequences,
    seen_so_far,
    validation_batches,
)
from pose_attention_ros.training.comparators.where_to_focus import FocusTraining, focus_phases  # noqa: E402
from pose_attention_ros.training.loop import CHECKPOINT  # noqa: E402

pytestmark = pytest.mark.training

LAYOUT = layout("common13")
V = len(LAYOUT.joints)
FOCUS = WhereToFocusConfig(part_width=4, hidden=3, attention_width=4, frames=3, window=6)
SHORT = FocusTraining(part_epochs=1, pose_epochs=1, joint_epochs=1, tune_epochs=2, batch=4, learning_rate=0.01)


def moving_clips(count: int = 12, ticks: int = 7, seed: int = 0) -> list[TickClip]:
    """Clips of two classes: the left wrist moves, or the right one."""
    rng, clips = np.random.default_rng(seed), []
    for number in range(count):
        features = rng.normal(0, 0.05, (ticks, V, 5)).astype(np.float32)
        features[..., 4] = 1
        wrist = LAYOUT.index(("left_wrist", "right_wrist")[number % 2])
        features[:, wrist, 0] += np.linspace(0, 2, ticks)
        features[:, wrist, 2] += 1
        clips.append(TickClip(features, number % 2))
    return clips


def trainer_of(network, phases, out, clips=None, fingerprint="one", clip_norm=0.0) -> PhaseTrainer:
    clips = clips or moving_clips()
    views = Views(clips, 4, 0, LAYOUT, ClipConfig(mirror=0.0))
    return PhaseTrainer(
        network,
        phases,
        views,
        validation_batches(clips[:4], 4),
        seed=0,
        out=out,
        fingerprint=fingerprint,
        clip_norm=clip_norm,
    )


def focus_network(**changes) -> WhereToFocus:
    torch.manual_seed(0)
    return WhereToFocus(WhereToFocusConfig(**{**FOCUS.__dict__, **changes}), 2)


def moved_parts(before: dict, network) -> set[str]:
    """Parts of the network of which any parameter is not what it was."""
    names = {name for name, _ in network.named_parameters()}
    return {
        name.rpartition(".")[0]
        .replace(".lstm", "")
        .partition(".convolutions")[0]
        .removesuffix(".read")
        .removesuffix(".dense")
        .removesuffix(".score")
        for name, value in network.state_dict().items()
        if name in names and not torch.equal(value, before[name])
    }


def test_the_six_steps_in_their_order_and_what_moves_in_each(tmp_path):
    network = focus_network()
    phases = focus_phases(network, SHORT)
    assert [phase.name.partition(":")[0] for phase in phases] == ["step 2"] * 3 + ["step 3", "step 5", "step 6"]
    wanted = [{f"parts.{part}", f"part_classify.{part}"} for part in PARTS]
    parts = {f"parts.{part}" for part in PARTS}
    wanted += [{"pose", "pose_classify"}, {*parts, "classify", "attention", "pose"}, {*parts, "classify", "attention"}]
    states = [{name: value.clone() for name, value in network.state_dict().items()}]
    trainer = trainer_of(network, phases, tmp_path)
    seen: list[str] = []

    def remember(phase, progress):
        if seen and phase == seen[-1]:
            states.pop()
        seen.append(phase)
        states.append({name: value.clone() for name, value in network.state_dict().items()})

    trainer.fit(remember)
    assert list(dict.fromkeys(seen)) == [phase.name for phase in phases]
    for step, (before, after) in enumerate(itertools.pairwise(states)):
        network.load_state_dict(after)
        assert moved_parts(before, network) == wanted[step], phases[step].name
    log = json.loads((tmp_path / LOG).read_text())
    assert [row["phase"] for row in log] == [phase.name for phase in phases]
    assert [set(row["moves"]) for row in log] == [set(phase.moves) for phase in phases]
    assert log[-1]["epochs"] == 2 and np.isfinite(log[-1]["training_loss"])


def test_step_4_gives_all_parts_the_same_weight(tmp_path):
    network = focus_network()
    phases = focus_phases(network, SHORT)
    with torch.no_grad():
        network.attention.score.bias += torch.tensor([3.0, 0.0, 0.0])
    phases[4].begin(network)
    weights = network(torch.randn(2, 3, V, 5)).part_weights.detach()
    np.testing.assert_allclose(weights, 1 / 3, atol=1e-6)


@pytest.mark.parametrize("aggregate, steps", [("sum", 5), ("concat", 5), ("left_hand", 3)])
def test_rows_without_attention_leave_its_steps_out(tmp_path, aggregate, steps):
    network = focus_network(aggregate=aggregate)
    phases = focus_phases(network, SHORT)
    assert len(phases) == steps and not any("pose" in part for phase in phases for part in phase.moves)
    trainer_of(network, phases, tmp_path).fit()


def test_where_to_focus_learns(tmp_path):
    config = FocusTraining(part_epochs=8, pose_epochs=8, joint_epochs=4, tune_epochs=4, batch=4, learning_rate=0.01)
    network = focus_network(dropout=0.0)
    trainer = trainer_of(network, focus_phases(network, config), tmp_path)
    trainer.fit()
    assert trainer.history[-1].val_accuracy == 1


def test_a_phase_leaves_the_moving_average_of_the_weights(tmp_path):
    shape = TemporalAttentionConfig(width=4, window=7, hidden=3, steps=2, averaged=1, motion_lags=(1,))
    network = TemporalAttention(shape, 2)
    config = TemporalAttentionTraining(
        epochs=2, optimiser="adamw", learning_rate=0.01, average=0.5, falls=True, prefixes=0.5
    )
    seen: list[dict] = []
    (phase,) = temporal_attention_phases(network, config)
    measured = phase.objective

    def watched(judged, batch):
        if judged is network:  # before each of the three steps of an epoch
            seen.append({name: value.clone() for name, value in judged.state_dict().items()})
        return measured(judged, batch)

    trainer = trainer_of(network, [dataclasses.replace(phase, objective=watched)], tmp_path)
    trainer.fit()
    assert isinstance(phase.optimiser(list(network.parameters())), torch.optim.AdamW) and len(seen) == 6
    assert [phase.rates(epoch) for epoch in (0, 1)] == pytest.approx([0.01, 0.005])
    last = torch.load(tmp_path / CHECKPOINT, weights_only=True)["network"]
    for name in (name for name, _ in network.named_parameters()):
        average = seen[0][name]
        for step, value in enumerate([*(state[name] for state in seen[1:]), None], 1):
            keep = min(0.5, step / (step + 10))
            if value is not None:
                average = keep * average + (1 - keep) * value
        mixed = network.state_dict()[name] - keep * average  # what is left is the share of the last weights
        assert torch.equal(last[name], network.state_dict()[name])
        assert (mixed / (1 - keep) - seen[-1][name]).abs().max() < 0.03  # one step of AdamW away


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_run_cut_short_goes_on_to_the_same_network(tmp_path, average):
    short = dataclasses.replace(SHORT, average=average, prefixes=average / 2)
    whole = trainer_of(first := focus_network(), focus_phases(first, short), tmp_path / "whole")
    whole.fit()
    cut, epochs = tmp_path / "cut", []

    class Cut(Exception):
        pass

    def stop(phase, progress):
        epochs.append(progress.epoch)
        if len(epochs) in (2, 4):
            raise Cut

    network = focus_network()
    for _ in range(2):
        with pytest.raises(Cut):
            trainer_of(network := focus_network(), focus_phases(network, short), cut).fit(stop)
    last = trainer_of(network := focus_network(), focus_phases(network, short), cut)
    last.fit()
    assert [row["phase"] for row in last.log] == [row["phase"] for row in whole.log]
    for name, value in first.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name
    with pytest.raises(UserError, match="another recipe"):
        trainer_of(network, focus_phases(network, SHORT), cut, fingerprint="two").fit()


def test_rpan_is_trained_by_sgd_whose_rate_falls_once():
    network = Rpan(RpanConfig(width=2, hidden=3, channels=4, rows=2, columns=2), 2)
    paper = RpanTraining()
    assert (paper.learning_rate, paper.later_rate, paper.falls_at, paper.epochs) == (0.1, 0.01, 50, 100)
    assert (paper.momentum, paper.weight_decay, paper.batch, paper.action, paper.pose) == (0.9, 5e-4, 16, 1.0, 1.0)
    (phase,) = rpan_phases(network, paper, (32, 32))
    optimiser = phase.optimiser(list(network.parameters()))
    assert isinstance(optimiser, torch.optim.SGD)
    assert optimiser.defaults["momentum"] == 0.9 and optimiser.defaults["weight_decay"] == 5e-4
    assert [phase.rates(epoch) for epoch in (0, 49, 50, 99)] == [0.1, 0.1, 0.01, 0.01]


@pytest.mark.parametrize("attention", ["without", "human-part"])
def test_rpan_learns_from_where_a_bright_spot_is(tmp_path, attention):
    """The class is which of two places of the cube is lit, at the joint; the maps learn where."""
    rng, clips = np.random.default_rng(0), []
    for number in range(16):
        target, ticks = number % 2, 3
        pixels = rng.normal(0, 0.1, (ticks, 4, 2, 2)).astype(np.float16)
        pixels[:, target, number // 2 % 2, number // 4 % 2] += 3
        joints = np.tile(np.float32([8 + 16 * (number // 4 % 2), 8 + 16 * (number // 2 % 2)]), (ticks, V, 1))
        clips.append(TickClip(np.zeros((ticks, V, 5), np.float32), target, pixels, joints, np.ones((ticks, V), bool)))
    clips = [TickClip(c.features, c.target, c.pixels, c.keypoints_px, c.there, c) for c in clips]
    torch.manual_seed(0)
    network = Rpan(RpanConfig(attention=attention, width=8, hidden=8, channels=4, rows=2, columns=2), 2)
    config = RpanTraining(epochs=60, falls_at=50, learning_rate=0.02, clip_norm=2.0, std_px=3.0)
    trainer = trainer_of(network, rpan_phases(network, config, (32, 32)), tmp_path, clips, clip_norm=2.0)
    trainer.fit()
    assert trainer.history[-1].val_accuracy == 1 and trainer.history[-1].loss < trainer.history[0].loss / 2


def test_temporal_attention_learns_by_adadelta(tmp_path):
    torch.manual_seed(0)
    shape = TemporalAttentionConfig(width=8, window=7, hidden=6, steps=3, averaged=2, motion_lags=(1,))
    network = TemporalAttention(shape, 2)
    (phase,) = temporal_attention_phases(network, TemporalAttentionTraining(epochs=12))
    assert isinstance(phase.optimiser(list(network.parameters())), torch.optim.Adadelta)
    trainer = trainer_of(network, [phase], tmp_path)
    trainer.fit()
    assert trainer.history[-1].val_accuracy == 1


def test_samples_and_sub_sequences_lie_within_their_clips():
    torch.manual_seed(0)
    ticks = torch.tensor([3, 5, 9, 40])
    for training in (True, False):
        ends = random_ends(ticks, 5, training)[:, 0]
        assert (ends < ticks).all() and (ends >= torch.minimum(ticks, torch.tensor(5)) - 1).all()
        index = random_sub_sequences(ticks, 4, training)
        assert (index >= 0).all() and (index < ticks[:, None]).all() and (index.diff(dim=1) >= 0).all()
    assert (random_ends(ticks, 5, False)[:, 0] == ticks - 1).all()
    assert torch.equal(seen_so_far(ticks, 0.0), ticks)
    many = torch.full((4000,), 8)
    ends, seen = random_ends(many, 5, True, 0.4)[:, 0], seen_so_far(many, 0.4)
    assert set(ends.tolist()) == set(range(8)) and set(seen.tolist()) == set(range(1, 9))
    for early, share in ((ends < 4, 0.4 * 4 / 5), (seen < 8, 0.4 * 7 / 8)):
        assert early.float().mean().item() == pytest.approx(share, abs=0.04)


RECIPES = {
    "where_to_focus": (
        "{name: where_to_focus, part_width: 4, hidden: 3, attention_width: 4, frames: 3, window: 6}",
        "{part_epochs: 1, pose_epochs: 1, joint_epochs: 1, tune_epochs: 1, batch: 4}",
    ),
    "temporal_attention": (
        "{name: temporal_attention, width: 4, window: 4, hidden: 3, steps: 2, averaged: 1, "
        "streams: [motion], stream_weights: [1.0]}",
        "{epochs: 1, batch: 4}",
    ),
}


@pytest.mark.parametrize("kind", RECIPES)
def test_train_evaluate_and_export_with_the_same_commands(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    clips = []
    for number in range(16):
        keypoints = rng.uniform(20, 80, (1, V, 2)) + rng.normal(0, 1 + number % 2, (9, V, 2))
        clips.append(
            Clip(
                keypoints.astype(np.float32),
                np.ones((9, V), np.float32),
                ("calm", "wild")[number % 2],
                15.0,
                "train" if number < 10 else "val" if number < 12 else "test",
                str(number),
            )
        )
    SkeletonDataset.from_clips(clips, LAYOUT.joints).save(tmp_path / "few.npz")
    model, train = RECIPES[kind]
    (tmp_path / "recipe.yaml").write_text(
        f"model_id: small\ndata: {{few: {{}}}}\nclasses: labels\nmodel: {model}\ntrain: {train}\nclips: {{}}\n"
    )
    assert main(["train", "recipe.yaml", "--data", "few.npz", "--out", "run"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test"]["clips"] == 4 and (tmp_path / "run" / CHECKPOINT).is_file()
    recogniser = load_recogniser(str(tmp_path / "run" / "small"))
    assert recogniser.spec.kind == kind and recogniser.spec.frame_window in (4, 6)
    given = ["--data", "few.npz", "--model", "run/small", "--split", "test"]
    assert main(["evaluate", "clips", *given, "--json", "e.json"]) == 0
    evaluated = json.loads((tmp_path / "e.json").read_text())
    assert evaluated["accuracy"] == pytest.approx(result["test"]["accuracy"], abs=0.26)  # one clip of four may be a tie
    assert main(["export", "onnx", "--model", "run/small"]) == 0
