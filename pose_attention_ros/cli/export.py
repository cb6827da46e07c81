"""`pose-attention export`: a model directory's weights into ONNX files, checked against torch; those into engines."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_attention_ros.cli import export_movenet, export_pose, export_teaching, export_tensorrt
from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference import movenet_network
from pose_attention_ros.inference.pose_model import is_pose_network
from pose_attention_ros.inference.recogniser import find_model, load_recogniser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    onnx = formats.add_parser("onnx", help="the ONNX files of a model directory, from its weights")
    onnx.add_argument(
        "--model",
        required=True,
        metavar="M",
        help=f"name under models/, a model directory with weights, or one of {', '.join(export_movenet.MODELS)}",
    )
    onnx.add_argument("--json", type=Path, metavar="FILE", help="write the differences from torch there")
    export_pose.add_arguments(onnx)
    tensorrt = formats.add_parser("tensorrt", help="a TensorRT engine of the ONNX file, for the GPU of this machine")
    export_tensorrt.add_arguments(tensorrt)
    add_json(tensorrt)
    export_teaching.add_arguments(formats.add_parser("teaching", help="what a model needs to be taught actions by showing"))


def run(args: argparse.Namespace) -> int:
    if args.model == movenet_network.WEIGHTS and args.format == "tensorrt":
        return export_tensorrt.run(args)
    if args.model in export_movenet.MODELS and args.format == "onnx":
        return export_movenet.run(args)
    folder = find_model(args.model)
    if args.format == "tensorrt":
        return export_tensorrt.run(args, folder)
    if args.format == "teaching":
        return export_teaching.run(args, folder)
    if is_pose_network(folder):
        return export_pose.run(args, folder)
    try:
        from pose_attention_ros.models.bundle import export_files, load_network, refresh_spec
    except ImportError as error:
        raise UserError(f"export needs {error.name}: pip install 'pose_attention_ros[train]'") from None
    network = load_network(folder)
    differences = export_files(network, folder)
    refresh_spec(network, folder)
    load_recogniser(str(folder))
    for name, difference in differences.items():
        size_mb = (folder / name).stat().st_size / 1e6
        print(f"{folder / name}: {size_mb:.2f} MB, largest difference from torch {difference:.1e}")
    write_json(args.json, differences)
    return 0
