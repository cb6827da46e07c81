"""Compared recognisers that read pixels, from a rendered data set to evaluated models, with the commands of all others."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.cli.main import main  # noqa: E402
from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.inference.package_paths import models_dir  # noqa: E402
from pose_attention_ros.inference.recogniser import load_recogniser  # noqa: E402
from pose_attention_ros.training.comparators.run import Data, load_comparator_recipe  # noqa: E402

pytestmark = pytest.mark.training

RECIPES = {
    "rpan": (
        "{name: rpan, width: 2, hidden: 4, rows: 6, columns: 6, rate_hz: 4.0, reduced: 4}",
        "{epochs: 1, falls_at: 1, batch: 8}",
        "{frames: 2, image_size: 48}",
    ),
    "where_to_focus": (
        "{name: where_to_focus, reads: crops, part_width: 4, hidden: 3, attention_width: 4, frames: 2, "
        "window: 4, rate_hz: 8.0}",
        "{part_epochs: 1, pose_epochs: 1, joint_epochs: 1, tune_epochs: 1, batch: 8}",
        "{frames: 0, image_size: 48, crop_size: 16}",
    ),
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    if not (models_dir() / "pose_cnn" / "model.json").is_file():
        pytest.skip("models/pose_cnn, the feature extractor, is not there")
    folder = tmp_path_factory.mktemp("clips") / "rendered"
    assert main(["data", "render", str(folder), "--clips", "160", "--frames", "4", "--size", "48", "--seed", "3"]) == 0
    return folder


def recipe_of(kind: str, folder) -> str:
    model, train, pixels = RECIPES[kind]
    (folder / "recipe.yaml").write_text(
        f"model_id: small\ndata: {{rendered: {{val_share: 0}}}}\nclasses: labels\n"
        f"model: {model}\ntrain: {train}\npixels: {pixels}\nclips: {{}}\n"
    )
    return folder / "recipe.yaml"


@pytest.mark.parametrize("kind", RECIPES)
def test_train_and_evaluate_from_pixels(rendered, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    recipe = recipe_of(kind, tmp_path)
    assert main(["train", str(recipe), "--data", str(rendered), "--out", "run"]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    spec = load_recogniser("run/small").spec
    assert spec.kind == kind and spec.pixels and spec.extractor["image_size"] == 48 and len(spec.extractor["sha256"]) == 64
    given = ["--data", str(rendered), "--model", "run/small", "--split", "test"]
    assert main(["evaluate", "clips", *given, "--json", "e.json"]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["clips"] == result["test"]["clips"] > 0
    joints_alone = str(rendered / "skeletons.npz")
    assert main(["evaluate", "clips", "--data", joints_alone, "--model", "run/small"]) != 0


def test_a_mirrored_clip_has_its_joints_label_and_pixels_mirrored(rendered, tmp_path):
    recipe = load_comparator_recipe(recipe_of("rpan", tmp_path), "rpan")
    data = Data.load(recipe, "rpan", {"rendered": rendered}, cache=tmp_path / "features")
    partner, classes = layout("common13").mirror, data.corpus.classes
    assert data.image_size == (48, 48)
    for clip in data.clips("train")[:12]:
        other = clip.mirrored
        np.testing.assert_allclose(other.keypoints_px[:, partner] * [-1, 1] + [48, 0], clip.keypoints_px, atol=1e-4)
        np.testing.assert_allclose(other.features[:, partner] * [-1, 1, -1, 1, 1], clip.features, atol=1e-6)
        label = classes[clip.target].replace("left", "?").replace("right", "left").replace("?", "right")
        assert classes[other.target] == label
        assert other.pixels.shape == clip.pixels.shape == (2, 384, 6, 6) and not np.array_equal(other.pixels, clip.pixels)
