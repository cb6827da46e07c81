"""Every recipe of a compared recogniser is read, and the papers' settings are in those named after the papers' data."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from pose_attention_ros.models.kinds import make_network
from pose_attention_ros.training.comparators.run import TRAINING, load_comparator_recipe
from pose_attention_ros.training.recipe import model_name

pytestmark = pytest.mark.training

RECIPES = sorted(path for kind in TRAINING for path in (Path(__file__).parents[2] / "config/train").glob(f"*_{kind}.yaml"))
# recipe -> what the paper says of its model and its training
# fmt: off
PAPERS = {
    "penn_rpan": ({"width": 128, "hidden": 1024, "attention": "human-part", "pooling": "concat"},
                  {"learning_rate": 0.1, "later_rate": 0.01, "falls_at": 50, "epochs": 100, "batch": 16, "momentum": 0.9}),
    "sub_jhmdb_rpan": ({"width": 32, "hidden": 512}, {"falls_at": 40, "epochs": 100, "weight_decay": 5e-4, "std_px": 5.0}),
    "ntu_where_to_focus": ({"hidden": 512, "frames": 20, "sub_sequences": 5, "dropout": 0.5},
                           {"even": 1e-5, "weight_decay": 1e-3, "learning_rate": 5e-4, "joint_epochs": 10,
                            "tune_epochs": 25, "batch": 16}),
    "n_ucla_where_to_focus": ({"hidden": 128, "frames": 5, "sub_sequences": 5}, {"even": 1e-4, "weight_decay": 1e-3}),
    "ucf101_temporal_attention": ({"hidden": 512, "layers": 2, "window": 30, "steps": 30, "averaged": 10,
                                   "stream_weights": (1 / 3, 2 / 3)}, {"learning_rate": 1.0}),
}
# fmt: on


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_makes_a_network(path):
    kind = model_name(path, TRAINING)
    recipe = load_comparator_recipe(path, kind)
    network = make_network(kind, recipe.model, 5)
    assert network.state_size > 0 and (recipe.model_id == path.stem or path.stem.startswith("rendered"))


@pytest.mark.parametrize("name", PAPERS)
def test_settings_are_the_papers(name):
    path = next(path for path in RECIPES if path.stem == name)
    recipe = load_comparator_recipe(path, model_name(path, TRAINING))
    for wanted, found in zip(PAPERS[name], (recipe.model, recipe.train)):
        assert {key: getattr(found, key) for key in wanted} == wanted
