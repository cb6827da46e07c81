"""`pose-attention export onnx` of a pose network: as many stages as asked for, and int8 calibrated on real photos."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.networks import PRECISIONS

CALIBRATION_PHOTOS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("pose networks")
    group.add_argument(
        "--stages",
        type=int,
        metavar="N",
        help="stages of the head to export, at most those that were trained (default: all)",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="fp32",
        help="int8: write the int8 files too, which needs --calibration; fp16: of movenet_multipose (default %(default)s)",
    )
    group.add_argument("--calibration", type=Path, metavar="DIR", help="photos like those that the robot will see")
    group.add_argument(
        "--calibration-photos",
        type=int,
        default=CALIBRATION_PHOTOS,
        metavar="N",
        help="how many of them are used at most (default %(default)s)",
    )
    group.add_argument("--out", type=Path, metavar="DIR", help="write another model directory (default: the model's own)")


def check_calibration(args: argparse.Namespace) -> None:
    """Raises UserError where int8 is asked for without photos."""
    if args.precision == "int8" and args.calibration is None:
        raise UserError("--precision int8 needs --calibration DIR: a folder of photos like those that the robot will see")


def run(args: argparse.Namespace, folder: Path) -> int:
    check_calibration(args)
    if args.precision == "fp16":
        raise UserError("--precision is fp16, expected fp32 or int8: TensorRT makes fp16 of the fp32 file (export tensorrt)")
    try:
        from pose_attention_ros.models.pose_bundle import add_int8, copy_weights, export_files, read_spec
        from pose_attention_ros.models.pose_int8 import calibration_images
    except ImportError as error:
        raise UserError(f"export needs {error.name}: pip install 'pose_attention_ros[train]'") from None
    spec = read_spec(folder)
    images = []
    if args.precision == "int8":  # before anything is written
        images = calibration_images(args.calibration, args.calibration_photos, spec["input_size"])
    if args.out is not None:
        copy_weights(folder, args.out)
        folder = args.out
    difference = export_files(folder, stages=args.stages)
    if images:
        add_int8(folder, images)
    spec = read_spec(folder)
    for precision, entry in spec["files"].items():
        size_mb = (folder / entry["file"]).stat().st_size / 1e6
        print(f"{folder / entry['file']}: {precision}, {spec['stages']} stage(s), {size_mb:.2f} MB")
    print(f"largest difference of fp32 from torch {difference:.1e}")
    if args.json:
        args.json.write_text(json.dumps({"fp32": difference, "stages": spec["stages"]}, indent=2) + "\n")
    return 0
