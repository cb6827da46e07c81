"""`pose-attention evaluate clips`: a recogniser on a labelled data set, tick by tick as on the robot."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np

from pose_attention_ros.cli.options import add_json, add_labelled_data, add_settings, divided, read_settings, write_json
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.pixel_clips import SKELETONS_FILE, open_pixels
from pose_attention_ros.evaluation.clip_pixels import ClipPixels
from pose_attention_ros.evaluation.clips import run_clips, summarise
from pose_attention_ros.evaluation.label_map import read_label_map, targets_of
from pose_attention_ros.evaluation.robustness import CHANGES, robustness
from pose_attention_ros.inference.extractors import ExtractorConfig, ExtractorWeights, create_extractor
from pose_attention_ros.inference.recogniser import load_recogniser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_labelled_data(parser, several=False)
    parser.add_argument("--out", type=Path, metavar="DIR", help="pictures (default out/evaluate/MODEL-FILE)")
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also: lost frames, jitter, slow cameras, an estimator's noise, a missing limb, a mirror",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is random in --robustness (default 0)")
    add_settings(parser, "models that read the image too", ExtractorWeights)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    recogniser = load_recogniser(args.model)
    spec = recogniser.spec
    data, pixels = labelled_clips(args, spec)
    label_map = read_label_map(args.label_map) if args.label_map else None
    targets = targets_of(data, spec.classes, args.split, label_map, args.data.stem)
    began = time.monotonic()
    with tqdm(total=len(targets), unit="clip", desc="clips", leave=False) as bar:
        results = run_clips(recogniser, data, targets, bar.update, pixels=pixels)
    summary = {
        "data": str(args.data),
        "data_sha256": file_sha256(skeletons_file(args.data)),
        "split": args.split,
        "seconds": round(time.monotonic() - began, 1),
        **summarise(results, spec),
    }
    if args.robustness and summary["clips"]:
        with tqdm(total=summary["clips"] * len(CHANGES), unit="clip", desc="robustness", leave=False) as bar:
            summary["robustness"] = robustness(recogniser, data, targets, results, args.seed, bar.update)
    write_json(args.json, summary)
    print_summary(summary)
    if summary["clips"]:
        print(draw_pictures(summary, args.out or Path("out/evaluate") / f"{spec.model_id}-{args.data.stem}"))
    return 0


def labelled_clips(args: argparse.Namespace, spec: ModelSpec) -> tuple[SkeletonDataset, ClipPixels | None]:
    """The clips, and what the model reads of their images. Raises UserError where there are none."""
    if not spec.pixels:
        return divided(SkeletonDataset.load(skeletons_file(args.data)), args), None
    if not args.data.is_dir() or args.robustness:
        raise UserError(
            f"model {spec.model_id!r} reads the images too: --data must be a folder with pixels, as "
            "`data render` leaves it, and --robustness changes joints alone"
        )
    source, weights = open_pixels(args.data), read_settings(args, ExtractorWeights)
    extractor = create_extractor(ExtractorConfig(**dataclasses.asdict(weights), extractor=spec.extractor.get("name", "")))
    return divided(source.skeletons, args), ClipPixels(source, spec, extractor)


def skeletons_file(data: Path) -> Path:
    """The skeleton data set file that --data is, or that lies in it."""
    return data / SKELETONS_FILE if data.is_dir() else data


def draw_pictures(summary: dict, out: Path) -> str:
    """Confusion table and early recognition as PNG files in `out`; returns a line that says so, or why not."""
    from pose_attention_ros.evaluation.pictures import draw_confusion, draw_early, draw_reliability

    try:
        out.mkdir(parents=True, exist_ok=True)
        draw_confusion(np.array(summary["confusion"]), summary["classes"], out / "confusion.png")
        draw_early(summary["accuracy_by_observed_fraction"], out / "early.png")
        draw_reliability(summary["reliability"], summary["expected_calibration_error"], out / "reliability.png")
    except ImportError as error:
        return f"no pictures, for {error.name} is not installed: pip install 'pose_attention_ros[train]'"
    return f"pictures in {out}"


def print_summary(summary: dict) -> None:
    """A short table."""
    if summary["clips"]:
        print(
            f"{summary['clips']} clips: accuracy {summary['accuracy']:.1%}, macro F1 {summary['macro_f1']:.3f}, "
            f"calibration error {summary['expected_calibration_error']:.3f}"
        )
        print(
            "accuracy by observed share of the clip: "
            + "  ".join(f"{float(f):.0%} {value:.1%}" for f, value in summary["accuracy_by_observed_fraction"].items())
        )
        print(
            f"above the threshold {summary['threshold']:g}: {summary['accepted']:.1%} of the clips"
            + (f", {summary['accuracy_of_accepted']:.1%} of them right" if summary["accepted"] else "")
        )
        for name, recall in summary["recall_by_class"].items():
            print(f"  {name:16s}{recall:7.1%}")
    if summary["clips_of_no_class"]:
        print(
            f"{summary['clips_of_no_class']} clips of no class: {summary['accepted_of_no_class']:.1%} above the threshold"
            + (f"; AUROC {summary['unknown_auroc']:.3f}" if summary["clips"] else "")
        )
        for label, row in summary["no_class_by_label"].items():
            auroc = f", AUROC {row['auroc']:.3f}" if row["auroc"] is not None else ""
            print(f"  {label:22s}{row['clips']:5d} clips{row['accepted']:8.1%} above the threshold{auroc}")
    for name, row in summary.get("robustness", {}).items():
        print(
            f"{name:34s}{row['accuracy']:7.1%}, costs {row['cost_points']:5.1f} points ({row['cost_low']:.1f} to "
            f"{row['cost_high']:.1f})"
        )
