"""Training of the pose network on a few drawn photos: it learns, resumes exactly, and several processes share one run."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pose_photos import write_photos

pytest.importorskip("torch")

import torch

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.models.pose_bundle import load_pose_network, save_pose_model
from pose_attention_ros.models.pose_cnn import PoseCnn, PoseCnnConfig, grow
from pose_attention_ros.training.pose_batches import PoseBatch, PoseBatches, read_part
from pose_attention_ros.training.pose_loop import PoseTrainer, begin, schedule
from pose_attention_ros.training.pose_recipe import PoseTrainConfig, load_pose_recipe

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
model_id: tiny
data:
  drawn: {train: [annotations.json], val: [annotations.json]}
model: {name: pose_cnn, stages: 2, width: 16, first_stage_width: 16}
train: {epochs: 2, batch: 4, input_size: 64, learning_rate: 3.0e-3, save_every: 1, head_only: 0.3, val_photos: 2}
augment: {turn_deg: 10, cover: 0.2}
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    write_photos(folder, 12)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


def trainer(drawn: Path, out: Path, seed: int = 1, **changes) -> PoseTrainer:
    recipe = load_pose_recipe(drawn / "recipe.yaml")
    recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **changes))
    photos = read_part("train", recipe, {"drawn": drawn})
    return PoseTrainer(recipe, photos, photos, seed, out)


def weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = weights(one), weights(other)
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_a_run_that_was_cut_short_ends_as_if_it_was_not(drawn, tmp_path):
    whole = trainer(drawn, tmp_path / "whole")
    whole.fit()
    cut = trainer(drawn, tmp_path / "cut")
    cut.fit(until=3)
    assert not same(cut.network, whole.network)
    resumed = trainer(drawn, tmp_path / "cut")
    resumed.fit()
    assert same(resumed.network, whole.network) and same(resumed.average, whole.average)
    assert len(resumed.history) == 2
    np.testing.assert_allclose([each.val_loss for each in resumed.history], [each.val_loss for each in whole.history])


def test_another_seed_or_recipe_does_not_go_on_in_the_same_folder(drawn, tmp_path):
    trainer(drawn, tmp_path).fit(until=1)
    with pytest.raises(UserError, match="another recipe, seed or data"):
        trainer(drawn, tmp_path, seed=2).fit()
    with pytest.raises(UserError, match="another recipe, seed or data"):
        trainer(drawn, tmp_path, learning_rate=1e-4).fit()


def test_the_loss_falls(drawn, tmp_path):
    losses = []
    trainer(drawn, tmp_path, epochs=8, head_only=0.0, average=0.9).fit(tick=lambda steps, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[1:6])


def test_the_backbone_waits_and_frozen_layers_stay(drawn, tmp_path):
    run = trainer(drawn, tmp_path, frozen_layers=3, frozen_statistics=True)
    before = weights(run.network)
    run.fit(until=1)
    after = weights(run.network)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed and not any(name.startswith("backbone.") for name in changed)
    resumed = trainer(drawn, tmp_path, frozen_layers=3, frozen_statistics=True)
    resumed.fit()
    after = weights(resumed.network)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name.split(".")[1] for name in changed if name.startswith("backbone.")} == {str(i) for i in range(3, 12)}
    assert not any("running" in name for name in changed if name.startswith("backbone."))


def test_a_step_in_parts_learns_what_a_whole_one_does(drawn, tmp_path):
    """Of two parts alike, so that batch norm sees the same in both."""
    runs = [trainer(drawn, tmp_path / str(parts), parts=parts, head_only=0.0, clip_norm=1e6) for parts in (1, 2)]
    batch = runs[0]._batches[0]
    target, weight = (type(maps)(*(torch.cat([each[:2]] * 2) for each in maps)) for maps in (batch.target, batch.weight))
    twice = PoseBatch(torch.cat([batch.image[:2]] * 2), target, weight)
    losses = [run._update(run.network, twice) for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    whole, added = (torch.cat([value.grad.flatten() for value in run.network.parameters()]) for run in runs)
    assert (added - whole).norm() < 0.05 * whole.norm()  # equal to 1e-11 in double precision
    with pytest.raises(UserError, match="batch is 4, expected a multiple of the 1 processes times 3 parts"):
        trainer(drawn, tmp_path, parts=3)


def test_training_goes_on_from_a_model(drawn, tmp_path):
    first = trainer(drawn, tmp_path / "first")
    first.fit(until=2)
    save_pose_model(first.average, "tiny", 64, tmp_path / "tiny")
    recipe = dataclasses.replace(load_pose_recipe(drawn / "recipe.yaml"), start_from=str(tmp_path / "tiny"))
    kept = begin(recipe)
    for name, value in first.average.state_dict().items():
        torch.testing.assert_close(kept.state_dict()[name], value, rtol=1e-3, atol=1e-3)
    assert all(value.requires_grad for value in kept.parameters())
    wider = dataclasses.replace(recipe.model, width=24)
    with pytest.raises(UserError, match="width=16"):
        begin(dataclasses.replace(recipe, model=wider))


@pytest.mark.parametrize("new_stages", ["copy", "fresh"])
def test_a_network_grows_by_stages_and_says_the_same_so_far(drawn, tmp_path, new_stages):
    """Only the head learns on: the features, which other models read, stay equal to the bit."""
    torch.manual_seed(3)
    small = PoseCnn(load_pose_recipe(drawn / "recipe.yaml").model).eval()
    save_pose_model(small, "tiny", 64, tmp_path / "tiny")
    small = load_pose_network(tmp_path / "tiny")
    recipe = load_pose_recipe(drawn / "recipe.yaml")
    train = dataclasses.replace(recipe.train, new_stages=new_stages, head_only=1.0, frozen_statistics=True)
    recipe = dataclasses.replace(
        recipe, start_from=str(tmp_path / "tiny"), train=train, model=dataclasses.replace(recipe.model, stages=4)
    )
    image = torch.rand(2, 3, 64, 64)
    grown = begin(recipe).eval()
    assert len(grown.stages) == 4 and grown.config == recipe.model
    with torch.inference_mode():
        for one, other in zip(small(image)[1], grown(image)[1]):
            assert torch.equal(one.confidence, other.confidence) and torch.equal(one.affinity, other.affinity)
        assert same(grown.stages[1], grown.stages[3]) == (new_stages == "copy")
    photos = read_part("train", recipe, {"drawn": drawn})
    run = PoseTrainer(recipe, photos, photos, 0, tmp_path / "out")
    run.fit(until=2)
    assert same(run.average.backbone, small.backbone) and same(run.network.backbone, small.backbone)
    assert not any(same(before, after) for before, after in zip(grown.stages, run.average.stages))


def test_first_stages_stay_as_they_began_while_later_ones_learn(drawn, tmp_path):
    run = trainer(drawn, tmp_path, frozen_stages=1, head_only=1.0, frozen_statistics=True)
    before = weights(run.network)
    run.fit(until=2)
    changed = {name for name, value in weights(run.network).items() if not np.array_equal(before[name], value)}
    assert changed and all(name.startswith("stages.1.") for name in changed)


def test_a_network_cannot_shrink_or_copy_a_stage_that_it_lacks():
    one = PoseCnn(PoseCnnConfig(stages=1, width=8, first_stage_width=8))
    with pytest.raises(UserError, match="the network has one stage"):
        grow(one, 3, copy=True)
    assert len(grow(one, 3, copy=False).stages) == 3
    with pytest.raises(UserError, match="has 3 stages, expected at most 2"):
        grow(grow(one, 3, copy=False), 2, copy=False)


def test_rates_rise_and_fall_and_the_backbones_begins_later():
    config = PoseTrainConfig(head_only=0.5, warm_up=0.1, backbone_rate=0.25)
    assert schedule(0.0, config) == 0 and schedule(0.1, config) == pytest.approx(1.0)
    assert schedule(1.0, config) == pytest.approx(0.0, abs=1e-9)
    assert schedule(0.45, config, backbone=True) == 0
    assert schedule(0.7, config, backbone=True) == pytest.approx(0.25 * schedule(0.7, config))


def test_processes_share_each_batch(drawn):
    recipe = load_pose_recipe(drawn / "recipe.yaml")
    photos = read_part("train", recipe, {"drawn": drawn})
    whole = PoseBatches(photos, recipe, 0)[4]
    parts = [PoseBatches(photos, recipe, 0, rank, 2)[4] for rank in range(2)]
    assert torch.equal(whole.image[0::2], parts[0].image) and torch.equal(whole.image[1::2], parts[1].image)
    assert torch.equal(whole.target.affinity[1::2], parts[1].target.affinity)
    fewer = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, photos_per_epoch=8))
    assert PoseBatches(photos, recipe, 0).per_epoch == 3 and PoseBatches(photos, fewer, 0).per_epoch == 2
    with pytest.raises(UserError, match="a multiple of the 3 processes"):
        from pose_attention_ros.training.pose_processes import Processes

        PoseTrainer(recipe, photos, photos, 0, drawn / "out", Processes(0, 3, torch.device("cpu")))


def test_two_processes_train_one_model(drawn, tmp_path):
    """Through torchrun and gloo, as on a machine of several GPUs through NCCL; the model runs in the pose stage."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-addr",
        "127.0.0.1",
        "--master-port",
        str(port),
        "-m",
        "pose_attention_ros.cli.main",
        "train",
        str(drawn / "recipe.yaml"),
        "--data",
        str(drawn),
        "--out",
        str(tmp_path),
        "--seed",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 process(es) on cpu" in done.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["history"]) == 2 and result["history"][-1]["val_loss"] > 0
    spec = json.loads((tmp_path / "tiny" / "model.json").read_text())
    assert spec["stages"] == 2 and spec["origin"]["seed"] == 1
    assert (
        main(
            [
                "evaluate",
                "poses",
                "--annotations",
                str(drawn / "annotations.json"),
                "--images",
                str(drawn / "images"),
                "--estimator",
                "pose_cnn",
                "--model",
                str(tmp_path / "tiny"),
                "--input-size",
                "64",
            ]
        )
        == 0
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_id: x\ndata: {a: {train: [b.json]}}\ntrain: {input_size: 100}", "multiple of 8"),
        ("model_id: x\ndata: {a: {}}", "no data set"),
        ("model_id: x\ndata: [1]", "expected a mapping"),
        ("data: {a: {train: [b.json]}}", "lacks model_id"),
        ("model_id: x\ndata: {a: {train: [b.json]}}\nmodel: {stages: 9}", "stages is 9"),
        ("model_id: x\ndata: {a: {train: [b.json]}}\ntrain: {epoch: 3}", "unknown keys epoch"),
        ("model_id: x\ndata: {a: {train: [b.json]}}\nmodel: {stages: 2}\ntrain: {frozen_stages: 2}", "fewer than the 2"),
    ],
)
def test_a_wrong_recipe_is_told(tmp_path, text, message):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        load_pose_recipe(tmp_path / "recipe.yaml")


@pytest.mark.parametrize(
    "name", ["pose_cnn.yaml", "pose_cnn_finish.yaml", "pose_cnn_stages.yaml", "pose_cnn_coco.yaml", "pose_cnn_athletes.yaml"]
)
def test_shipped_recipes_are_sound(name):
    recipe = load_pose_recipe(ROOT / "config/train" / name)
    assert recipe.model.stages <= 6 and recipe.train.input_size % 8 == 0


def test_folders_of_photos_are_asked_for(drawn, capsys):
    assert main(["train", str(drawn / "recipe.yaml"), "--data", "other=/nowhere"]) != 0
    assert "the recipe reads drawn" in capsys.readouterr().err
    assert main(["train", str(drawn / "recipe.yaml"), "--data", str(drawn / "absent")]) != 0
    assert "no folder" in capsys.readouterr().err
