"""Recipes, the training loop and what it leaves behind, on a small made-up data set with a known answer."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.cli.main import main  # noqa: E402
from pose_attention_ros.cli.train import TRAINERS  # noqa: E402
from pose_attention_ros.core.body.layouts import LAYOUTS  # noqa: E402
from pose_attention_ros.data.dataset import Clip, SkeletonDataset  # noqa: E402
from pose_attention_ros.data.label_rules import ALL_LABELS  # noqa: E402
from pose_attention_ros.inference.package_paths import config_dir  # noqa: E402
from pose_attention_ros.inference.recogniser import find_model, load_recogniser  # noqa: E402
from pose_attention_ros.training.loop import CHECKPOINT, schedule  # noqa: E402
from pose_attention_ros.training.recipe import TrainConfig, load_recipe, model_name  # noqa: E402

pytestmark = pytest.mark.training

LAYOUT = LAYOUTS["penn13"]
RECIPE = """
model_id: tiny
data: {moves: {val_share: 0.25}}
classes:
  raise_arm: {moves: [up]}
  bow: {moves: [bow]}
other: {moves: [noise]}
held_out: {moves: [strange]}
rest:
  still: {moves: {start: [up, bow]}}
model: {width: 8, heads: 1, hidden: 12, dropout: 0.0, decay_per_s: 0.5, graph_convolution: false, pooling: false}
train: {epochs: 2, streams_per_epoch: 64, batch: 16, learning_rate: 0.01, smoothing: 0.0, average: 0.9}
stream: {longest_s: 2.0}
augment: {strength: 0.5}
"""


def moves() -> SkeletonDataset:
    """A person who raises the arm, bows, shakes, or drifts."""
    # fmt: off
    upright = np.array([[0, -1.5], [0.25, -1], [-0.25, -1], [0.3, -0.5], [-0.3, -0.5], [0.3, 0], [-0.3, 0], [0.15, 0],
                        [-0.15, 0], [0.15, 0.85], [-0.15, 0.85], [0.15, 1.7], [-0.15, 1.7]])
    # fmt: on
    rng, clips = np.random.default_rng(0), []
    for i in range(96):
        label, time = ("up", "bow", "noise", "strange")[i % 4], np.linspace(0, 1, 24)[:, None, None]
        motion = np.zeros((24, 13, 2))
        if label == "up":
            motion[:, [5], 1] = -2 * time[:, 0]
        elif label == "bow":
            motion[:, :7, 0] = 0.8 * time[:, 0]
        elif label == "strange":
            motion[..., 0] = 3 * time[:, 0]
        else:
            motion = rng.normal(0, 0.2, motion.shape)
        keypoints = (upright + motion + rng.normal(0, 0.01, motion.shape)) * 80 + 300
        clips.append(
            Clip(
                keypoints.astype(np.float32),
                np.ones((24, 13), np.float32),
                label,
                24.0,
                "test" if i >= 64 else "train",
                f"person{i:02d}",
            )
        )
    return SkeletonDataset.from_clips(clips, LAYOUT.joints)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    moves().save(folder / "moves.npz")
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


def train(project, out, *more):
    return main(
        ["train", str(project / "tiny.yaml"), "--data", str(project / "moves.npz"), "--out", str(project / out), *more]
    )


def evaluate(project, trained, split, label_map, *more):
    return main(
        [
            "evaluate",
            "clips",
            "--data",
            str(project / "moves.npz"),
            "--model",
            str(trained / "tiny"),
            "--split",
            split,
            "--label-map",
            str(project / label_map),
            *more,
        ]
    )


@pytest.fixture(scope="module")
def trained(project):
    assert train(project, "run", "--json", str(project / "run.json")) == 0
    return project / "run"


def test_a_run_leaves_model_result_and_curve(trained, project):
    result = json.loads((trained / "result.json").read_text())
    assert json.loads((project / "run.json").read_text()) == result
    assert result["classes"] == ["raise_arm", "bow", "still"] and result["seed"] == 0
    assert len(result["history"]) == 2 and result["history"][1]["loss"] < result["history"][0]["loss"]
    assert set(result["test"]["accuracy_by_observed_fraction"]) == {f"{f / 10:.1f}" for f in range(1, 11)}
    assert result["data_sha256"].keys() == {"moves"} and result["parameters"] > 0
    assert (trained / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    spec = load_recogniser(str(trained / "tiny")).spec
    assert spec.classes == ("raise_arm", "bow", "still") and 0 < spec.threshold < 1


def test_the_same_seed_gives_the_same_model_also_when_resumed(trained, project):
    """A run cut short after its first epoch goes on to the very same weights."""
    from pose_attention_ros.training.corpus import load_corpus
    from pose_attention_ros.training.loop import Trainer

    recipe = load_recipe(project / "tiny.yaml")
    corpus = load_corpus(recipe, {"moves": project / "moves.npz"})

    class Stop(Exception):
        pass

    def stop(progress):
        raise Stop

    with pytest.raises(Stop):
        Trainer(recipe, corpus, 0, project / "again").fit(report=stop)
    assert train(project, "again", "--numbers-only") == 0
    first, second = (torch.load(run / CHECKPOINT, weights_only=True)["average"] for run in (trained, project / "again"))
    assert first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def test_another_seed_is_another_run(trained, project, capsys):
    assert train(project, "run", "--seed", "1") == 1
    assert "another recipe, seed, data or official split" in capsys.readouterr().err


def test_evaluation_as_on_the_robot_agrees_with_training(trained, project):
    """The streaming recogniser, tick by tick, and the batch form measure the same clips alike."""
    result = json.loads((trained / "result.json").read_text())
    assert (
        evaluate(
            project,
            trained,
            "test",
            "tiny.yaml",
            "--out",
            str(project / "pictures"),
            "--json",
            str(project / "evaluated.json"),
        )
        == 0
    )
    found = json.loads((project / "evaluated.json").read_text())
    real = [row[:2] for row in result["test"]["confusion"][:2]]
    assert [row[:2] for row in found["confusion"][:2]] == real
    assert found["clips"] == 16 and found["clips_of_no_class"] == 16
    for name in ("confusion.png", "early.png"):
        assert (project / "pictures" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "text, split, message",
    [
        ("{up: raise_arm, bow: bow}", "exam", "no clip to evaluate"),
        ("{up: fly}", "test", "the model has no class fly"),
        ("{jump: bow}", "test", "the data has no label jump"),
        ("- up", "test", "expected a mapping"),
    ],
)
def test_label_maps_that_do_not_fit(trained, project, capsys, text, split, message):
    (project / "map.yaml").write_text(text)
    assert evaluate(project, trained, split, "map.yaml") == 1
    assert message in capsys.readouterr().err


def test_export_makes_the_same_files_again(trained, capsys):
    before = json.loads((trained / "tiny" / "model.json").read_text())
    assert main(["export", "onnx", "--model", str(trained / "tiny")]) == 0
    assert json.loads((trained / "tiny" / "model.json").read_text()) == before
    assert "largest difference from torch" in capsys.readouterr().out


def test_exported_files_tell_nothing_of_the_machine(trained):
    for path in (trained / "tiny").iterdir():
        content = path.read_bytes()
        assert str(trained).encode() not in content and b".py" not in content, path.name


@pytest.mark.parametrize(
    "edit, message",
    [
        (("model: {width: 8", "model: {widht: 8"), "model has unknown keys widht"),
        (("model: {width: 8", "model: {name: pam, width: 8"), "model.name is 'pam', expected one of pan"),
        (("hidden: 12", "hidden: 0"), "hidden is 0, expected a GRU where there are no streams"),
        (("[bow]}\nother", "[bend]}\nother"), "has no label bend"),
        (("bow: {moves: [bow]}", "bow: {moves: [up]}"), "used twice"),
        (("bow: {moves: [bow]}", "bow: {films: [bow]}"), "does not list: films"),
        (("model_id: tiny\n", ""), "lacks model_id"),
        (
            ("model_id: tiny\n", "model_id: tiny\nalarms: [fire]\n"),
            "alarms are fire; expected classes: raise_arm, bow, still",
        ),
        (
            ("model_id: tiny\n", "model_id: tiny\nstart_from: rpan\n"),
            "start_from 'rpan' is rpan, expected one Pose-Attention",
        ),
        (("bow: {moves: [bow]}", "bow:"), "classes.bow is None, expected a mapping from data set to labels"),
        (("bow: {moves: [bow]}", "bow: {moves: [7]}"), "has no label 7"),
        (("data: {moves: {val_share: 0.25}}", "data: {moves: {share: 1}}"), "data.moves has unknown keys share"),
    ],
)
def test_recipes_with_a_mistake(project, capsys, edit, message):
    assert edit[0] in RECIPE
    (project / "wrong.yaml").write_text(RECIPE.replace(*edit))
    assert main(["train", str(project / "wrong.yaml"), "--data", str(project / "moves.npz"), "--out", "unused"]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error


def test_shipped_recipes_are_valid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a second part of a training begins with what the first one left
    shutil.copytree(find_model("everyday"), tmp_path / "out/train/everyday_first/everyday")
    recipes = [path for path in sorted((config_dir() / "train").glob("*.yaml")) if model_name(path, TRAINERS) == "pan"]
    assert recipes
    for path in recipes:
        recipe = load_recipe(path)
        for name in recipe.data:
            assert recipe.labels_of(name) or recipe.classes == ALL_LABELS


def test_learning_rate_rises_and_falls():
    config = TrainConfig()
    values = [schedule(done, config) for done in np.linspace(0, 1, 101)]
    assert values[0] == 0 and values[-1] == pytest.approx(0, abs=1e-9) and max(values) == pytest.approx(1, abs=1e-3)
    assert np.argmax(values) == pytest.approx(100 * config.warm_up, abs=1)
