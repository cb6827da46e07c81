"""`pose-attention data import|pixels|render|simulate|inspect`: data sets and own recordings into our file format, drawn
clips and known ones with their pixels, simulated motion in 3D, and what such a file holds."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pose_attention_ros.bags.finding import find_bags, labels_beside
from pose_attention_ros.cameras.finding import find_videos
from pose_attention_ros.cli.options import add_settings, read_settings, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.bag_clips import import_bags
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.jhmdb import import_jhmdb
from pose_attention_ros.data.motion3d.cameras import CameraRing, import_kinect
from pose_attention_ros.data.originals import ORIGINALS, import_original, open_original
from pose_attention_ros.data.penn import import_penn
from pose_attention_ros.data.pixel_clips import SKELETONS_FILE, open_pixels
from pose_attention_ros.data.pixel_views import StoreConfig, store_pixels
from pose_attention_ros.data.pyskl import import_pyskl
from pose_attention_ros.data.recording_clips import RecordingClipConfig
from pose_attention_ros.data.rendered.clips import RenderConfig, render_dataset
from pose_attention_ros.data.simulated.sequences import FallConfig, write_falls
from pose_attention_ros.data.video_clips import VideoGroupConfig, import_videos

STORED = "stored"  # a folder that `pixels` or `render` wrote
IMPORTERS = {
    "penn": lambda args: import_penn(args.source),
    "jhmdb": lambda args: import_jhmdb(args.source, _split_number(args.official_split)),
    "pyskl": lambda args: import_pyskl(args.source, args.official_split, _class_names(args.class_names)),
    "kinect": lambda args: import_kinect(args.source, CameraRing(views=args.views), args.seed),
    "ntu": lambda args: import_original("ntu", args.source),
    "nucla": lambda args: import_original("nucla", args.source),
    "bag": lambda args: _import_bags(args),
    "video": lambda args: _import_videos(args),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    importing = actions.add_parser("import", help="write a data set file from a known data set")
    importing.add_argument("kind", choices=IMPORTERS, help="which data set SRC is; bag, video: own recordings")
    importing.add_argument("source", type=Path, metavar="SRC", help="its original folder or file, or its compact .npz; "
                           "a bag or video, or a folder of them with NAME.csv beside each")
    importing.add_argument("output", type=Path, metavar="OUT.npz")
    importing.add_argument("--official-split", metavar="SPLIT",
                           help="jhmdb: 1, 2 or 3 (default: all three in one file); pyskl: 1, 2, 3, 1,2,3, xsub, "
                                "xview and so on (default: 1, or the only one)")
    importing.add_argument("--class-names", type=Path, metavar="FILE",
                           help="pyskl: one class name a line, in the order of the label numbers")
    importing.add_argument("--views", type=int, default=CameraRing().views,
                           help="kinect: virtual cameras a clip (default %(default)s)")
    importing.add_argument("--seed", type=int, default=0, help="kinect: of the cameras' places (default 0)")
    importing.add_argument("--labels", type=Path, metavar="LABELS.csv",
                           help="bag, video: start_s,end_s,label[,person[,x_px,y_px]]")
    importing.add_argument("--labels-topic", metavar="TOPIC", help="bag: labels recorded with the rest")
    importing.add_argument("--input", choices=("auto", "images", "skeletons", "skeleton_graphs"), default="auto",
                           help="bag: what to start from (default: the earliest that it holds)")
    importing.add_argument("--topic", default="", help="bag: the topic, where there are several of its kind")
    add_settings(importing, "bag and video", RecordingClipConfig)
    add_settings(importing, "video", VideoGroupConfig)
    storing = actions.add_parser("pixels", help="store a known data set with its images, for models that read pixels")
    storing.add_argument("kind", choices=(*ORIGINALS, STORED), help="which data set SRC is; stored: a folder of ours")
    storing.add_argument("source", type=Path, metavar="SRC", help="its original folder")
    storing.add_argument("output", type=Path, metavar="OUT", help="folder for skeletons.npz and images.npy")
    add_settings(storing, "pixels", StoreConfig)
    rendering = actions.add_parser("render", help="draw a data set with pixels: figures acting in clutter, joints, labels")
    rendering.add_argument("output", type=Path, metavar="OUT", help="folder for skeletons.npz and images.npy")
    add_settings(rendering, "rendering", RenderConfig)
    simulating = actions.add_parser("simulate",
                                    help="simulate a body in 3D: falls, lying, getting up, and what is none of it")
    simulating.add_argument("kind", choices=("falls",), help="what is simulated")
    simulating.add_argument("output", type=Path, metavar="OUT.npz", help="a compact 3D file")
    add_settings(simulating, "simulation", FallConfig)
    inspecting = actions.add_parser("inspect", help="show what a data set file holds")
    inspecting.add_argument("file", type=Path, metavar="FILE.npz")
    for sub in (importing, storing, rendering, simulating, inspecting):
        sub.add_argument("--json", type=Path, metavar="FILE", help="write the summary there as well")


def run(args: argparse.Namespace) -> int:
    if args.action == "simulate":
        write_json(args.json, _simulate(args))
        return 0
    if args.action == "import":
        if not args.source.exists():
            raise UserError(f"SRC {args.source} does not exist")
        try:
            data, path = IMPORTERS[args.kind](args), args.output
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise UserError(f"SRC {args.source} cannot be read as {args.kind}: {error}") from error
        data.save(path)
    elif args.action in _FOLDERS:
        path = args.output / SKELETONS_FILE
        _FOLDERS[args.action](args)
        data = SkeletonDataset.load(path)
    else:
        data, path = SkeletonDataset.load(args.file), args.file
    summary = summarise(data, path)
    print_summary(summary)
    write_json(args.json, summary)
    return 0


def _render(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    config = read_settings(args, RenderConfig)
    with tqdm(unit="clip", total=config.clips, disable=None, leave=False, desc="drawing") as bar:
        render_dataset(config, args.output, bar.update)


def _simulate(args: argparse.Namespace) -> dict:
    from tqdm import tqdm

    config = read_settings(args, FallConfig)
    with tqdm(unit="sequence", total=config.sequences, disable=None, leave=False, desc="simulating") as bar:
        arrays = write_falls(config, args.output, bar.update)
    frames = np.diff(arrays["offsets"])
    summary = {"file": str(args.output), "sha256": file_sha256(args.output), "sequences": config.sequences,
               "clips": len(frames), "frames": int(frames.sum()), "subjects": len(set(arrays["subject"].tolist())),
               "labels": {str(label): {"clips": int((arrays["action"] == label).sum()),
                                       "frames": int(frames[arrays["action"] == label].sum())}
                          for label in sorted(set(arrays["action"].tolist()))}}
    print(f"{args.output}: {summary['sequences']} sequences, {summary['clips']} clips, {summary['frames']} frames, "
          f"{summary['subjects']} bodies")
    for label, counts in summary["labels"].items():
        print(f"  {label:24s}clips {counts['clips']:<6d}frames {counts['frames']}")
    return summary


def _store(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    source = open_pixels(args.source) if args.kind == STORED else open_original(args.kind, args.source)
    with tqdm(unit="clip", total=len(source), disable=None, leave=False, desc="reading") as bar:
        store_pixels(source, read_settings(args, StoreConfig), args.output, bar.update)


_FOLDERS = {"render": _render, "pixels": _store}


def _import_bags(args: argparse.Namespace) -> SkeletonDataset:
    from tqdm import tqdm

    sources = _with_labels(args, find_bags(args.source), "bag")
    with tqdm(unit="frame", disable=None, leave=False, desc="reading") as bar:
        return import_bags(sources, read_settings(args, RecordingClipConfig), _make_pose, args.input, args.topic, bar.update)


def _import_videos(args: argparse.Namespace) -> SkeletonDataset:
    from tqdm import tqdm

    sources = _with_labels(args, find_videos(args.source), "video")
    with tqdm(unit="frame", disable=None, leave=False, desc="reading") as bar:
        return import_videos(sources, read_settings(args, RecordingClipConfig), read_settings(args, VideoGroupConfig),
                             _make_pose, bar.update)


def _with_labels(args: argparse.Namespace, recordings: list[Path], noun: str) -> list[tuple[Path, Any]]:
    """Each recording with its labels. Raises UserError where one has none."""
    if args.labels and len(recordings) > 1:
        raise UserError(f"--labels is for one {noun}, {args.source} holds {len(recordings)}: put NAME.csv beside each")
    topic = args.labels_topic if noun == "bag" else None
    sources = [(each, topic or args.labels or labels_beside(each)) for each in recordings]
    absent = [each.name for each, labels in sources if labels is None]
    if absent:
        raise UserError(f"no labels for {', '.join(absent)}: give --labels LABELS.csv, or put NAME.csv beside each {noun}")
    return sources


def _make_pose() -> Any:
    from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

    return create_pose_estimator(PoseConfig())


def _split_number(text: str | None) -> int | None:
    if text not in (None, "1", "2", "3"):
        raise UserError(f"--official-split is {text!r}, expected 1, 2 or 3")
    return text and int(text)


def _class_names(path: Path | None) -> list[str]:
    return path.read_text().splitlines() if path else []


def summarise(data: SkeletonDataset, path: Path) -> dict:
    """What `inspect` shows, as plain values."""
    frames = np.diff(data.offsets)
    return {"file": str(path), "sha256": file_sha256(path), "clips": len(data), "frames": int(frames.sum()),
            "frames_per_clip": {"min": int(frames.min()), "median": float(np.median(frames)), "max": int(frames.max())},
            "fps": sorted({round(float(fps), 3) for fps in data.fps}), "joints": list(data.joints),
            "missing_joints": round(float((data.scores == 0).mean()), 4), "groups": len(set(data.group.tolist())),
            "official_splits": data.official_splits.shape[1],
            "labels": data.counts(), **({"left_out": dict(data.left_out)} if data.left_out else {})}


def print_summary(summary: dict) -> None:
    length = summary["frames_per_clip"]
    fps = ", ".join(f"{fps:g}" if fps else "unknown" for fps in summary["fps"])
    print(f"{summary['file']}: {summary['clips']} clips, {summary['frames']} frames "
          f"({length['min']} to {length['max']} a clip, median {length['median']:g}), fps {fps}, "
          f"{summary['groups']} groups, {summary['missing_joints']:.1%} of joints missing")
    print(f"joints: {', '.join(summary['joints'])}")
    for label, counts in summary["labels"].items():
        print(f"  {label:24s}" + "".join(f"{split} {number:<6d}" for split, number in counts.items()))
