"""`pose-attention data import KIND`: which data sets and recordings there are importers for, and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pose_attention_ros.bags.bag_folder import find_bags, labels_beside
from pose_attention_ros.cameras.video_folder import find_videos
from pose_attention_ros.cli.options import add_settings, read_settings
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.bag_clips import import_bags
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.jhmdb import import_jhmdb
from pose_attention_ros.data.motion3d.bvh import BvhConfig, read_bvh_folder
from pose_attention_ros.data.motion3d.cameras import CameraRing, seen_by_cameras
from pose_attention_ros.data.motion3d.compact import MotionSet, read_motions
from pose_attention_ros.data.motion3d.record import Motion
from pose_attention_ros.data.motion3d.utd import read_utd
from pose_attention_ros.data.mpose import import_mpose
from pose_attention_ros.data.originals import import_original
from pose_attention_ros.data.penn import import_penn
from pose_attention_ros.data.pyskl import import_pyskl
from pose_attention_ros.data.recording_clips import RecordingClipConfig
from pose_attention_ros.data.video_clips import VideoGroupConfig, import_videos

IMPORTERS = {
    "penn": lambda args: import_penn(args.source),
    "jhmdb": lambda args: import_jhmdb(args.source, _split_number(args.official_split)),
    "pyskl": lambda args: import_pyskl(args.source, args.official_split, _class_names(args.class_names)),
    "kinect": lambda args: _from_3d(args, read_motions),
    "utd": lambda args: _from_3d(args, read_utd),
    "bvh": lambda args: _from_3d(
        args,
        lambda source, left_out: read_bvh_folder(
            source, read_settings(args, BvhConfig), args.joint_names, args.clip_labels, left_out
        ),
    ),
    "mpose": lambda args: import_mpose(args.source, args.official_split),
    "ntu": lambda args: import_original("ntu", args.source),
    "nucla": lambda args: import_original("nucla", args.source),
    "bag": lambda args: _import_bags(args),
    "video": lambda args: _import_videos(args),
}


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of all importers; each help says whose."""
    parser.add_argument("kind", choices=IMPORTERS, help="which data set SRC is; bag, video: own recordings")
    parser.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="its original folder or file, or its compact .npz; "
        "a bag or video, or a folder of them with NAME.csv beside each",
    )
    parser.add_argument("output", type=Path, metavar="OUT.npz")
    parser.add_argument(
        "--official-split",
        metavar="SPLIT",
        help="jhmdb, mpose: 1, 2 or 3 (default: all three in one file); pyskl: 1, 2, 3, 1,2,3, xsub, "
        "xview and so on (default: 1, or the only one)",
    )
    parser.add_argument(
        "--class-names", type=Path, metavar="FILE", help="pyskl: one class name a line, in the order of the label numbers"
    )
    parser.add_argument(
        "--views",
        type=int,
        default=CameraRing().views,
        help="kinect, utd, bvh: virtual cameras a clip (default %(default)s); 0 writes the motion itself, a compact 3D file",
    )
    parser.add_argument(
        "--side-deg",
        type=float,
        default=CameraRing().side_deg,
        help="kinect, utd, bvh: how far to either side "
        "of the recording's own camera the virtual ones stand (default %(default)s: all round)",
    )
    parser.add_argument("--seed", type=int, default=0, help="kinect, utd, bvh: of the cameras' places (default 0)")
    parser.add_argument(
        "--joint-names",
        type=Path,
        metavar="FILE.yaml",
        help="bvh: the files' name of each joint, such as left_wrist: LeftHand (default: built-in tables)",
    )
    parser.add_argument(
        "--clip-labels",
        type=Path,
        metavar="FILE.csv",
        help="bvh: name,label[,person] of each file (default: from the files' names)",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="LABELS.csv", help="bag, video: start_s,end_s,label[,person[,x_px,y_px]]"
    )
    parser.add_argument("--labels-topic", metavar="TOPIC", help="bag: labels recorded with the rest")
    parser.add_argument(
        "--input",
        choices=("auto", "images", "skeletons", "skeleton_graphs"),
        default="auto",
        help="bag: what to start from (default: the earliest that it holds)",
    )
    parser.add_argument("--topic", default="", help="bag: the topic, where there are several of its kind")
    add_settings(parser, "bag and video", RecordingClipConfig)
    add_settings(parser, "video", VideoGroupConfig)
    add_settings(parser, "bvh", BvhConfig)


def _from_3d(args: argparse.Namespace, read: Callable[[Path, LeftOut], list[Motion]]) -> SkeletonDataset | MotionSet:
    """3D motion seen by virtual cameras; without any, the motion itself, which has to stand the same checks."""
    left_out = LeftOut()
    motions = read(args.source, left_out)
    seen = seen_by_cameras(motions, CameraRing(views=args.views or 1, side_deg=args.side_deg), args.seed, left_out)
    return seen if args.views else MotionSet(motions, left_out)


def _import_bags(args: argparse.Namespace) -> SkeletonDataset:
    from tqdm import tqdm

    sources = _with_labels(args, find_bags(args.source), "bag")
    with tqdm(unit="frame", disable=None, leave=False, desc="reading") as bar:
        return import_bags(sources, read_settings(args, RecordingClipConfig), _make_pose, args.input, args.topic, bar.update)


def _import_videos(args: argparse.Namespace) -> SkeletonDataset:
    from tqdm import tqdm

    sources = _with_labels(args, find_videos(args.source), "video")
    with tqdm(unit="frame", disable=None, leave=False, desc="reading") as bar:
        return import_videos(
            sources, read_settings(args, RecordingClipConfig), read_settings(args, VideoGroupConfig), _make_pose, bar.update
        )


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
