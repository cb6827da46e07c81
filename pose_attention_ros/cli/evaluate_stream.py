"""`pose-attention evaluate stream`: labelled clips joined to long streams, through the stages of the robot, in time."""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

from pose_attention_ros.cli.options import (
    add_json,
    add_labelled_data,
    add_settings,
    chosen,
    divided,
    read_settings,
    write_json,
)
from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.augment import AugmentConfig
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.evaluation import stream_metrics
from pose_attention_ros.evaluation.label_map import read_label_map, targets_of
from pose_attention_ros.evaluation.stream_run import run_streams, seen_at
from pose_attention_ros.evaluation.streams import PlanConfig, examples_of, plan_streams
from pose_attention_ros.inference.recogniser import load_recogniser

RESTING = ("stand", "idle", "rest", "still")
# Row of the table -> where its value is in a summary.
_ROWS = {
    "frame accuracy": ("frame_accuracy",),
    "  while a class is shown": ("acting_accuracy",),
    "macro F1": ("macro_f1",),
    "frame-wise mAP": ("frame_map",),
    "segmental F1 at 10 %": ("segmental_f1", "0.10"),
    "segmental F1 at 25 %": ("segmental_f1", "0.25"),
    "segmental F1 at 50 %": ("segmental_f1", "0.50"),
    "seconds to the right label, median": ("seconds_to_label", "median"),
    "  90 % within": ("seconds_to_label", "p90"),
    "missed segments": ("missed_segments",),
    "seconds to give it up, median": ("seconds_to_release", "median"),
    "  90 % within ": ("seconds_to_release", "p90"),
    "label changes a minute": ("label_changes_per_minute",),
    "false labels an idle minute": ("false_labels_per_idle_minute",),
    "share of idle time with a label": ("false_share_of_idle_time",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_labelled_data(parser, several=True)
    parser.add_argument(
        "--fps",
        type=float,
        nargs="+",
        default=[10.0, 15.0, 25.0, 30.0],
        metavar="FPS",
        help="frame rates of the camera (default 10 15 25 30)",
    )
    parser.add_argument("--seed", type=int, default=0, help="order of the clips, pauses, noise (default 0)")
    parser.add_argument(
        "--resting",
        nargs="*",
        metavar="CLASS",
        help=f"classes that mean rest, right in pauses (default: the model's postures, else those there are "
        f"of {', '.join(RESTING)})",
    )
    parser.add_argument("--estimated", action="store_true", help="through the simulated pose estimator of training recipes")
    parser.add_argument("--out", type=Path, metavar="DIR", help="pictures (default out/evaluate/MODEL-FILE-stream)")
    add_json(parser)
    add_settings(parser, "streams", PlanConfig)
    add_settings(parser, "labels", ActionConfig)


def run(args: argparse.Namespace) -> int:
    recogniser = load_recogniser(args.model)
    spec = recogniser.spec
    resting = _resting(args.resting, spec)
    if min(args.fps) <= 0:
        raise UserError(f"--fps {min(args.fps):g}: expected frame rates above 0")
    label_map = read_label_map(args.label_map) if args.label_map else None
    clips = []
    for path in args.data:
        data = divided(SkeletonDataset.load(path), args)
        clips += examples_of(data, targets_of(data, spec.classes, args.split, label_map, path.stem), spec.layout)
    plan, config = read_settings(args, PlanConfig), read_settings(args, ActionConfig)
    streams = plan_streams(clips, args.seed, spec.layout, plan)
    if not streams:
        raise UserError("no stream to show: no clip of a class of the model")
    result = {
        "model_id": spec.model_id,
        "sha256": spec.sha256,
        "split": args.split,
        "seed": args.seed,
        "estimated": args.estimated,
        "resting": list(resting),
        "plan": dataclasses.asdict(plan),
        "data_sha256": {str(path): file_sha256(path) for path in args.data},
        "labels": chosen(args, ActionConfig),
    }
    result["by_fps"], lines = {}, {}
    rough = AugmentConfig() if args.estimated else None
    for fps in args.fps:
        began = time.monotonic()
        lines[fps] = _run(recogniser, seen_at(streams, fps, spec, rough, args.seed), config, resting, fps)
        summary = stream_metrics.summarise(lines[fps], spec.classes)
        result["by_fps"][f"{fps:g}"] = {**summary, "wall_seconds": round(time.monotonic() - began, 1)}
    write_json(args.json, result)
    print_table(result["by_fps"])
    print(
        draw_pictures(
            lines,
            spec.classes,
            result["by_fps"],
            args.out or Path("out/evaluate") / f"{spec.model_id}-{args.data[0].stem}-stream",
        )
    )
    return 0


def _run(recogniser, seen, config, resting, fps):
    from tqdm import tqdm

    with tqdm(total=len(seen), unit="stream", desc=f"{fps:g} fps", leave=False) as bar:
        return run_streams(recogniser, seen, config, resting, bar.update)


def _resting(given: list[str] | None, spec: ModelSpec) -> tuple[str, ...]:
    classes = spec.classes
    if given is None:
        return spec.postures or tuple(name for name in RESTING if name in classes)
    strangers = sorted(set(given) - set(classes))
    if strangers:
        raise UserError(f"--resting: the model has no class {', '.join(strangers)}; it has {', '.join(classes)}")
    return tuple(given)


def print_table(by_fps: dict[str, dict]) -> None:
    """One column a frame rate."""
    first = next(iter(by_fps.values()))
    print(
        f"{first['people']} streams, {first['minutes']:.1f} minutes, {first['idle_minutes']:.1f} of them idle, "
        f"{first['segments']} actions"
    )
    print(f"{'':36s}" + "".join(f"{fps + ' fps':>9s}" for fps in by_fps))
    for name, keys in _ROWS.items():
        values = []
        for summary in by_fps.values():
            for key in keys:
                summary = summary[key]
            values.append("-" if summary is None else f"{summary:.3f}")
        print(f"{name:36s}" + "".join(f"{value:>9s}" for value in values))


def draw_pictures(lines: dict, classes: tuple[str, ...], by_fps: dict[str, dict], out: Path) -> str:
    """Timelines and curves as PNG files in `out`; returns a line that says so, or why not."""
    from pose_attention_ros.evaluation.stream_pictures import draw_curves, draw_timelines

    try:
        out.mkdir(parents=True, exist_ok=True)
        slowest = min(lines)
        draw_timelines(lines[slowest], classes, out / "timelines.png")
        draw_curves(by_fps, {fps: stream_metrics.seconds_to_label(each) for fps, each in lines.items()}, out / "curves.png")
    except ImportError as error:
        return f"no pictures, for {error.name} is not installed: pip install 'pose_attention_ros[train]'"
    return f"pictures in {out}"
