"""What a finished run leaves behind: the model directory, result.json and the learning curve."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.bundle import Bundle, Network, save_bundle
from pose_attention_ros.training.corpus import Corpus
from pose_attention_ros.training.loop import Progress
from pose_attention_ros.training.recipe import Recipe
from pose_attention_ros.training.start import ENOUGH_TO_CALIBRATE, kept_calibration
from pose_attention_ros.training.validate import Calibration, ClipScores, calibrate, of_no_class, score_clips, summary

RESULT, CURVE = "result.json", "learning_curve.png"
_TEST_SEED = 11  # of the rough estimator in the test
# (split, True for clips of a class, False for held-out ones, None for what training may see, seed of a rough estimator)
ScoresOf = Callable[[str, "bool | None", "int | None"], ClipScores]
_HALF = len(metrics.OBSERVED_FRACTIONS) // 2 - 1


def finish(
    network: Network,
    recipe: Recipe,
    corpus: Corpus,
    histories: list[list[Progress]],
    seed: int,
    seconds: float,
    out: Path,
    *,
    export: bool = True,
    scores_of: ScoresOf | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict:
    """Calibrate on validation, measure validation and test once, write all to `out`. Returns result.json's content.

    :param export: False leaves out the model directory, where only the numbers are wanted
    :param scores_of: how clips are scored, where not as the Pose-Attention Network scores them
    :param extra: more for model.json
    """
    if scores_of is None:

        def scores_of(split: str, known: bool | None, view: int | None) -> ClipScores:
            return score_clips(network, corpus.part(split, known=known), corpus, recipe, view)

    views = {"": None} if recipe.clips else {"": None, "_as_estimated": _TEST_SEED}
    robot_view = [*views.values()][-1]
    known, strange = scores_of("val", True, robot_view), scores_of("val", False, robot_view)
    nothing = None if recipe.clips else of_no_class(scores_of("val", None, robot_view))
    postures, alarms = (
        [k for k, name in enumerate(corpus.classes) if name in names] for names in (recipe.postures, recipe.alarms)
    )
    calibration = calibrate(known, strange, nothing, postures, alarms)
    if recipe.start_from and len(known.truth) < ENOUGH_TO_CALIBRATE:
        calibration = dataclasses.replace(calibration, **kept_calibration(recipe.start_from))
    result = {
        "model_id": recipe.model_id,
        "seed": seed,
        "seconds": round(seconds, 1),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "classes": list(corpus.classes),
        "data_sha256": dict(corpus.sha256),
        "clips": {split: len(corpus.part(split)) for split in ("train", "val", "test")},
        "calibration": dataclasses.asdict(calibration),
    }
    for split in ("val", "test"):
        if not corpus.part(split, known=True):
            continue  # own recordings often have no test part: they are tested on another bag
        for name, view in views.items():
            scores = scores_of(split, True, view)
            result[split + name] = {**summary(scores, corpus.classes), **_confidence(scores, calibration)}
    if corpus.part("test", known=False):
        result["test_unknown"] = _unknown(scores_of, calibration, robot_view)
    origin = {
        "seed": seed,
        "data_sha256": dict(corpus.sha256),
        "official_split": corpus.official_split,
        "postures": [name for name in recipe.postures if name in corpus.classes],
        "test_accuracy": result.get("test", {}).get("accuracy"),
        **(extra or {}),
    }
    bundle = Bundle(
        recipe.model_id,
        corpus.classes,
        calibration.temperature,
        calibration.threshold,
        calibration.thresholds,
        smoothing=recipe.smoothing,
        extra=origin,
    )
    if export:
        result["export_difference"] = save_bundle(network, bundle, out / recipe.model_id)
    curves = [[dataclasses.asdict(progress) for progress in history] for history in histories]
    result.update(zip(("history", "history_of_other_members"), (curves[0], curves[1:]) if len(curves) > 1 else curves))
    result = without_nan(result)
    (out / RESULT).write_text(json.dumps(result, indent=2) + "\n")
    if histories:
        draw_curve(histories, out / CURVE)
    return result


def without_nan(value: Any) -> Any:
    """The same values with None for what could not be measured, which JSON has a word for."""
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _confidence(scores: ClipScores, calibration: Calibration) -> dict:
    """Expected calibration error after the temperature, at the end of the clips and from half of them on, and without it."""

    def error(logits: np.ndarray, temperature: float) -> float | None:
        chances = metrics.softmax(logits.reshape(-1, logits.shape[-1]) / temperature)
        truth = np.repeat(scores.truth, len(chances) // max(len(scores.truth), 1))
        return metrics.rounded(metrics.calibration_error(chances.max(-1), chances.argmax(-1) == truth))

    late, end = scores.logits[:, _HALF:], scores.at_end()
    return {
        "calibration_error": error(end, calibration.temperature),
        "calibration_error_uncalibrated": error(end, 1.0),
        "calibration_error_from_half": error(late, calibration.temperature),
    }


def _unknown(scores_of: ScoresOf, calibration: Calibration, view: int | None) -> dict:
    """How well the test part's left-out actions are told from the classes, at the end of each clip."""
    known, strange = (
        metrics.softmax(scores_of("test", part, view).at_end() / calibration.temperature) for part in (True, False)
    )
    return {
        "clips_left_out": len(strange),
        "auroc": round(metrics.area_under_roc(known.max(-1), strange.max(-1)), 4),
        "known_accepted": round(float(calibration.accepted(known).mean()), 4) if len(known) else None,
        "left_out_accepted": round(float(calibration.accepted(strange).mean()), 4) if len(strange) else None,
    }


def mean_result(results: dict[int, dict]) -> dict:
    """One result of several official splits: each number's mean, and the splits' own results beside it."""
    first = next(iter(results.values()))
    return {
        **{name: first[name] for name in ("model_id", "seed", "parameters", "classes", "data_sha256")},
        "seconds": round(sum(result["seconds"] for result in results.values()), 1),
        **{
            part: _mean([result[part] for result in results.values()])
            for part in ("val", "test")
            if all(part in result for result in results.values())
        },
        "official_splits": {str(split): result for split, result in results.items()},
    }


def _mean(parts: list[dict]) -> dict:
    """Of the plain numbers, and of the table by observed fraction."""
    numbers = {
        name: round(float(np.mean([part[name] for part in parts])), 4)
        for name, value in parts[0].items()
        if isinstance(value, float) and all(part[name] is not None for part in parts)
    }
    early = [part["accuracy_by_observed_fraction"] for part in parts]
    return {
        "clips": sum(part["clips"] for part in parts),
        **numbers,
        "accuracy_by_observed_fraction": {
            fraction: round(float(np.mean([each[fraction] for each in early])), 4) for fraction in early[0]
        },
    }


def draw_curve(histories: list[list[Progress]], path: Path) -> None:
    """Loss and validation accuracy by epoch of each member, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for number, history in enumerate(histories, 1):
        name = f"network {number}, " if len(histories) > 1 else ""
        epochs = [progress.epoch for progress in history]
        left.plot(epochs, [progress.loss for progress in history])
        right.plot(epochs, [progress.val_accuracy for progress in history], label=name + "as annotated")
        if all(progress.val_accuracy_estimated is not None for progress in history):
            right.plot(epochs, [progress.val_accuracy_estimated for progress in history], label=name + "as estimated")
    left.set(xlabel="epoch", title="training loss")
    right.set(xlabel="epoch", title="validation accuracy")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
