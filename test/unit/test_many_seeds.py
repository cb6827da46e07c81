"""Means, spreads and intervals over seeds."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.many_seeds import FULL, VARIANTS, changed, claim, interval, markdown, summary, variants_of
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.package_paths import config_dir
from pose_attention_ros.training.recipe import load_recipe

pytestmark = pytest.mark.training


def result(accuracies: list[float]) -> dict:
    def part(accuracy: float) -> dict:
        return {
            "accuracy": accuracy,
            "accuracy_by_observed_fraction": {"0.5": accuracy / 2, "1.0": accuracy},
            "area_under_observed_fraction": accuracy,
            "calibration_error": 0.1,
            "calibration_error_uncalibrated": 0.2,
        }

    return {
        "test": part(float(np.mean(accuracies))),
        "val": {"accuracy": 0.9},
        "parameters": 1000,
        "seconds": 5.0,
        "official_splits": {str(k): {"test": part(accuracy)} for k, accuracy in enumerate(accuracies)},
    }


def test_differences_are_paired_by_seed_and_split():
    table = summary({FULL: {0: result([0.8, 0.6]), 1: result([0.9, 0.7])}, "ReLU assignment": {0: result([0.7, 0.5])}})
    assert table[FULL]["mean"] == pytest.approx(0.75) and table[FULL]["spread"] == pytest.approx(0.0707, abs=1e-4)
    assert table[FULL]["early"] == {"0.5": pytest.approx(0.375), "1.0": pytest.approx(0.75)}
    assert table["ReLU assignment"]["difference"] == pytest.approx(-0.1) and table["ReLU assignment"]["pairs"] == 2
    assert "| ReLU assignment | 1 | 60.00 |" in markdown(table)


def test_the_interval_is_students():
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.30 / 3**0.5)
    assert np.isnan(interval([1.0]))


def test_a_folder_of_other_runs_is_refused(tmp_path):
    recipe = load_recipe(config_dir() / "train" / "penn.yaml")
    (tmp_path / "penn.npz").write_bytes(b"some data")
    data = [str(tmp_path / "penn.npz")]
    for _ in range(2):  # a run that was cut short goes on
        claim(tmp_path / "out", recipe, data, (None,))
    for others in ((changed(recipe, {"epochs": 1}), data, (None,)), (recipe, data, (2,))):
        with pytest.raises(UserError, match="holds runs of another recipe, data or splits"):
            claim(tmp_path / "out", *others)


def test_variants_are_those_that_change_the_recipe():
    recipe = load_recipe(config_dir() / "train" / "jhmdb14.yaml")
    assert not recipe.model.pose_attention  # so it is the maximum alone already
    assert set(VARIANTS) - set(variants_of(recipe)) == {"the maximum alone", "without the joints loss"}
    assert FULL in variants_of(recipe)
