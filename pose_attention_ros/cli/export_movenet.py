"""`pose-attention export onnx --model movenet_multipose` or `movenet_thunder`: the fetched MoveNet as ONNX, in the cache
where nodes look."""

from __future__ import annotations

import argparse
from pathlib import Path

from pose_attention_ros.cli.export_pose import check_calibration
from pose_attention_ros.cli.options import write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.inference import movenet_network
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.topdown import thunder

_CALIBRATION_SIZE = 256  # of the square that each photo is fitted into, in pixels


MODELS = (movenet_network.WEIGHTS, thunder.WEIGHTS)


def run(args: argparse.Namespace) -> int:
    """Write the file of the precision that is asked for; with --out a copy of it there."""
    check_calibration(args)
    if args.stages is not None:
        raise UserError(f"--stages is for networks that are trained here, not for {args.model}")
    file = (_multipose if args.model == movenet_network.WEIGHTS else _thunder)(args)
    print(f"{file.name} in {file.precision}: {len(file.content) / 1e6:.2f} MB, sha256 {file.sha256[:12]}...")
    if args.out is not None:
        _copy(file.content, args.out / f"{file.name}_{file.precision}.onnx")
    write_json(args.json, {"model": file.name, "precision": file.precision, "sha256": file.sha256})
    return 0


def _multipose(args: argparse.Namespace) -> NetworkFile:
    if args.precision != "int8":
        return movenet_network.onnx_file(args.precision)
    from pose_attention_ros.models.pose_int8 import calibration_images

    movenet_network.write_int8(calibration_images(args.calibration, args.calibration_photos, _CALIBRATION_SIZE))
    return movenet_network.int8_file()


def _thunder(args: argparse.Namespace) -> NetworkFile:
    if args.precision == "fp16":
        raise UserError(f"--precision is fp16, expected fp32 or int8: runtimes make fp16 of {thunder.WEIGHTS} themselves")
    if args.precision == "int8":
        from pose_attention_ros.models.pose_int8 import calibration_files

        images = map(read_image, calibration_files(args.calibration, args.calibration_photos))
        thunder.write_int8(image for image in images if image is not None)
    return thunder.thunder_file(args.precision)


def _copy(content: bytes, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    print(f"written to {path}")
