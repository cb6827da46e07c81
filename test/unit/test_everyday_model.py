"""The shipped model: complete, intact, and able to do what its card says. No torch needed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.actions.recogniser import StepOutput
from pose_attention_ros.core.body.features import FeatureStream
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.evaluation.metrics import softmax
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.inference.recogniser import find_model, load_recogniser

MODEL = "everyday"
# A person upright, seen from the front, in body units from the middle of the hips.
# fmt: off
UPRIGHT = np.array([[0, -1.5], [0.3, -1], [-0.3, -1], [0.4, -0.5], [-0.4, -0.5], [0.4, 0], [-0.4, 0], [0.18, 0],
                    [-0.18, 0], [0.18, 0.85], [-0.18, 0.85], [0.18, 1.7], [-0.18, 1.7]], np.float32)
# fmt: on


@pytest.fixture(scope="module")
def recogniser():
    return load_recogniser(MODEL)


def shown(recogniser, positions: np.ndarray, rate_hz: float, torso_px: float = 60.0) -> list[StepOutput]:
    """positions (T, V, 2) body units, shown tick by tick with an estimator's tremble."""
    rng = np.random.default_rng(0)
    path, state, outputs = FeatureStream(recogniser.spec.layout), np.zeros((1, recogniser.spec.state_size), np.float32), []
    for frame in positions:
        keypoints = (frame + rng.normal(0, 0.015, frame.shape)) * torso_px + 200
        scores = np.full(len(frame), 0.6, np.float32)
        graph = path(keypoints.astype(np.float32), scores, scores > 0, np.float32(1 / rate_hz))
        outputs.append(recogniser.step(graph.features[None], state))
        state = outputs[-1].state
    return outputs


def probabilities(recogniser, output: StepOutput) -> dict[str, float]:
    chances = softmax(output.logits[0] / recogniser.spec.temperature)
    return dict(zip(recogniser.spec.classes, chances.tolist()))


def test_the_folder_is_complete_and_small():
    folder = find_model(MODEL)
    spec = json.loads((folder / "model.json").read_text())
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    assert (folder / "README.md").stat().st_size > 1000
    assert spec["parameters"] <= 500_000 and len(set(spec["classes"])) == len(spec["classes"]) >= 15
    for name in spec["classes"]:
        assert name in (folder / "README.md").read_text()


@pytest.mark.training
def test_its_classes_are_those_of_its_recipe(recogniser):
    recipes = pytest.importorskip("pose_attention_ros.training.recipe")
    pytest.importorskip("torch")
    assert recogniser.spec.classes == recipes.load_recipe(config_dir() / "train" / "everyday.yaml").class_names


@pytest.mark.training
def test_weights_for_fine_tuning_are_those_of_the_graph(recogniser):
    torch = pytest.importorskip("torch")
    from pose_attention_ros.models.bundle import load_network

    network = load_network(find_model(MODEL))
    positions = UPRIGHT + np.cumsum(np.random.default_rng(1).normal(0, 0.03, (30, 13, 2)), 0)
    outputs = shown(recogniser, positions, recogniser.spec.rate_hz)
    features, rng = [], np.random.default_rng(0)
    path = FeatureStream(recogniser.spec.layout)
    for frame in positions:
        keypoints = (frame + rng.normal(0, 0.015, frame.shape)) * 60.0 + 200
        scores = np.full(13, 0.6, np.float32)
        dt_s = np.float32(1 / recogniser.spec.rate_hz)
        features.append(path(keypoints.astype(np.float32), scores, scores > 0, dt_s).features)
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.stack(features))[None]).logits[0].numpy()
    np.testing.assert_allclose(np.concatenate([output.logits for output in outputs]), logits, atol=1e-5)


@pytest.mark.parametrize("torso_px", [15.0, 150.0])
def test_a_person_who_stands_still_stands(recogniser, torso_px):
    outputs = shown(recogniser, np.repeat(UPRIGHT[None], 45, 0), recogniser.spec.rate_hz, torso_px)
    chances = probabilities(recogniser, outputs[-1])
    assert max(chances, key=chances.get) == "stand" and chances["stand"] >= recogniser.spec.threshold


def test_a_person_who_stands_after_waving_no_longer_waves(recogniser):
    """The label of what is over fades: within three seconds of rest the wave is gone."""
    rate_hz = recogniser.spec.rate_hz
    time_s = np.arange(round(3 * rate_hz)) / rate_hz
    waving = np.repeat(UPRIGHT[None], len(time_s), 0)
    joints = layout("common13")
    elbow, wrist = joints.index("left_elbow"), joints.index("left_wrist")
    waving[:, elbow] = [0.75, -1.25]
    waving[:, wrist] = np.stack([0.75 + 0.35 * np.sin(2 * np.pi * 1.5 * time_s), np.full_like(time_s, -1.75)], -1)
    outputs = shown(recogniser, np.concatenate([waving, np.repeat(UPRIGHT[None], len(time_s), 0)]), rate_hz)
    during, after = probabilities(recogniser, outputs[len(time_s) - 1]), probabilities(recogniser, outputs[-1])
    assert max(during, key=during.get) == "wave"
    assert after["wave"] < recogniser.spec.threshold and max(after, key=after.get) == "stand"


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, name, least", [("jhmdb", "jhmdb_804of928_pos_world", 0.55), ("penn", "penn_action_joints", 0.85)]
)
def test_real_clips_of_people_never_seen_in_training(shared, tmp_path, kind, name, least):
    """Official test parts, through the streaming recogniser; the bounds lie a little under the card's numbers."""
    data = tmp_path / {"jhmdb": "jhmdb21.npz", "penn": "penn.npz"}[kind]
    assert main(["data", "import", kind, str(shared / "data" / f"{name}.npz"), str(data)]) == 0
    recipe = config_dir() / "train" / "everyday.yaml"
    assert (
        main(
            [
                "evaluate",
                "clips",
                "--data",
                str(data),
                "--model",
                MODEL,
                "--split",
                "test",
                "--label-map",
                str(recipe),
                "--out",
                str(tmp_path),
                "--json",
                str(tmp_path / "r.json"),
            ]
        )
        == 0
    )
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["accuracy"] >= least


@pytest.mark.training
@pytest.mark.parametrize("name", ["everyday", "everyday_open"])
def test_the_recipe_smooths_joints_as_those_that_the_shipped_weights_learnt_from(name):
    pytest.importorskip("torch")
    from pose_attention_ros.training.recipe import load_recipe

    assert load_recipe(config_dir() / "train" / f"{name}.yaml").smoothing == load_recogniser(name).spec.smoothing
