"""What a finished run leaves behind: the model directory, result.json and the learning curve."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pose_attention_ros.evaluation import metrics
from pose_attention_ros.models.bundle import Bundle, save_bundle
from pose_attention_ros.models.pan import PoseAttentionNetwork
from pose_attention_ros.training.corpus import Corpus
from pose_attention_ros.training.loop import Progress
from pose_attention_ros.training.recipe import Recipe
from pose_attention_ros.training.validate import calibrate, score_clips, summary

RESULT, CURVE = "result.json", "learning_curve.png"
_TEST_SEED = 11  # of the rough estimator in the test


def finish(network: PoseAttentionNetwork, recipe: Recipe, corpus: Corpus, history: list[Progress], seed: int,
           seconds: float, out: Path) -> dict:
    """Calibrate on validation, measure validation and test once, write all to `out`. Returns result.json's content."""
    known = score_clips(network, corpus.part("val", known=True), corpus, recipe, _TEST_SEED)
    strange = score_clips(network, corpus.part("val", known=False), corpus, recipe, _TEST_SEED)
    calibration = calibrate(known, strange)
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
        entries = corpus.part(split, known=True)
        result[split] = summary(score_clips(network, entries, corpus, recipe), corpus.classes)
        result[f"{split}_as_estimated"] = summary(score_clips(network, entries, corpus, recipe, _TEST_SEED), corpus.classes)
    result["test_unknown"] = _unknown(network, recipe, corpus, calibration.temperature, calibration.threshold)
    origin = {"seed": seed, "data_sha256": dict(corpus.sha256), "test_accuracy": result["test"]["accuracy"]}
    bundle = Bundle(recipe.model_id, corpus.classes, calibration.temperature, calibration.threshold, extra=origin)
    result["export_difference"] = save_bundle(network, bundle, out / recipe.model_id)
    result["history"] = [dataclasses.asdict(progress) for progress in history]
    (out / RESULT).write_text(json.dumps(result, indent=2) + "\n")
    draw_curve(history, out / CURVE)
    return result


def _unknown(network: PoseAttentionNetwork, recipe: Recipe, corpus: Corpus, temperature: float, threshold: float) -> dict:
    """How well the test part's left-out actions are told from the classes, at the end of each clip."""
    confidences = []
    for known in (True, False):
        scores = score_clips(network, corpus.part("test", known=known), corpus, recipe, _TEST_SEED)
        confidences.append(metrics.softmax(scores.at_end() / temperature).max(-1))
    known, strange = confidences
    return {"clips_left_out": len(strange), "auroc": round(metrics.area_under_roc(known, strange), 4),
            "known_accepted": round(float((known >= threshold).mean()), 4) if len(known) else None,
            "left_out_accepted": round(float((strange >= threshold).mean()), 4) if len(strange) else None}


def draw_curve(history: list[Progress], path: Path) -> None:
    """Loss and validation accuracy by epoch, as a picture."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    epochs = [progress.epoch for progress in history]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [progress.loss for progress in history])
    left.set(xlabel="epoch", title="training loss")
    right.plot(epochs, [progress.val_accuracy for progress in history], label="as annotated")
    right.plot(epochs, [progress.val_accuracy_estimated for progress in history], label="as estimated")
    right.set(xlabel="epoch", title="validation accuracy")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
