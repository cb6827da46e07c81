"""`pose-attention data photos KIND SRC OUT`: a known set of photos in COCO's keypoint format, with lists for training and
validation. Who else is in a photo, and the faces that people did not label, an estimator says."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_attention_ros.cli.options import add_settings, read_settings
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.originals.leeds import LAYOUT, chosen, write_lists, write_photos
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator


def add_photo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("leeds",), help="which set SRC is: Leeds Sports Pose Extended")
    parser.add_argument("source", type=Path, metavar="SRC", help="its folder, with images/ and joints.mat")
    parser.add_argument("output", type=Path, metavar="OUT", help="folder for images/, annotations.json and the lists")
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="DIR",
        help="leave out the photos of this folder's lists, and what looks like one of its test_human.txt",
    )
    parser.add_argument("--val", type=int, default=200, metavar="N", help="photos for validation (default %(default)s)")
    parser.add_argument("--longest", type=int, default=384, metavar="PX", help="longer side, at most (default %(default)s)")
    add_settings(parser, "estimator", PoseConfig)


def write_labelled_photos(args: argparse.Namespace) -> dict:
    """Writes OUT. Raises UserError."""
    from tqdm import tqdm

    if not (args.source / "images").is_dir():
        raise UserError(f"SRC {args.source} has no folder images")
    estimator = create_pose_estimator(read_settings(args, PoseConfig))
    if estimator.layout.name != LAYOUT.name:
        raise UserError(f"the estimator's joints are {estimator.layout.name}, expected {LAYOUT.name}: use movenet")
    train, val = chosen(args.source, args.beside, args.val)
    names = sorted((*train, *val))
    with tqdm(total=len(names), unit="photo", disable=None, leave=False, desc="labelling") as bar:
        written = write_photos(args.source, args.output, names, args.longest, estimator, bar.update)
    estimator.close()
    write_lists(args.output, train, val, written)
    summary = {"folder": str(args.output), "photos": len(written), "validation": len(set(written) & set(val))}
    print(f"{args.output}: {summary['photos']} photos, {summary['validation']} of them for validation")
    return summary
