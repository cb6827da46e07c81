"""`pose-attention export tensorrt`: builds the engine of a pose network or a recogniser for the GPU of this machine.

Nodes build it by themselves when they start; this does so beforehand, and alone can calibrate int8.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.cli.options import write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference import movenet_network
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.network_types import NetworkFile, Profile, ShapeRange
from pose_attention_ros.inference.networks import PRECISIONS
from pose_attention_ros.inference.pose import STRIDE, PoseConfig
from pose_attention_ros.inference.pose_cnn import calibration_inputs, input_range
from pose_attention_ros.inference.pose_model import PoseSpec, is_pose_network, read_pose_spec
from pose_attention_ros.inference.recogniser import read_spec, step_file, step_profile

CALIBRATION_IMAGES = 300


@dataclass(frozen=True)
class Request:
    """What is to be built: the network, the shapes it must take, and images to calibrate with."""

    file: NetworkFile
    profile: Profile
    calibration: Iterator[np.ndarray] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the format."""
    parser.add_argument("--model", required=True, metavar="M", help="name under models/, or a model directory")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="numbers that layers may compute in (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the bare engine there; nodes find it in the cache without"
    )
    parser.add_argument(
        "--compute-capability",
        default="",
        metavar="X.Y",
        help="build for a GPU that is not in this machine, into --out; only TensorRT for RTX can",
    )
    pose = parser.add_argument_group("pose networks")
    pose.add_argument(
        "--input-size",
        type=int,
        default=PoseConfig().input_size,
        metavar="PX",
        help="longer side of the input, as the node's parameter (default: %(default)s)",
    )
    pose.add_argument(
        "--image-size",
        metavar="WxH",
        help="an engine for images of this shape alone (parameter "
        "engine_shapes: fixed), such as 640x480 (default: for images of any shape)",
    )
    pose.add_argument(
        "--calibration",
        metavar="SRC",
        help="folder of images, video or bag of what the robot sees: finds "
        "the ranges of int8, where the model's own int8 file shall not be used",
    )
    pose.add_argument(
        "--calibration-images",
        type=int,
        default=CALIBRATION_IMAGES,
        metavar="N",
        help="how many of them are used (default: %(default)s)",
    )


def run(args: argparse.Namespace, folder: Path | None = None) -> int:
    """Build, and put the engine where the nodes look for it.

    :param folder: of the model; None for MoveNet
    """
    from pose_attention_ros.inference.trt.build import build_engine
    from pose_attention_ros.inference.trt.cache import EngineKey, store_engine
    from pose_attention_ros.inference.trt.cuda import Cuda
    from pose_attention_ros.inference.trt.library import find_library

    request = (
        movenet_request(args)
        if folder is None
        else pose_request(read_pose_spec(str(folder)), args)
        if is_pose_network(folder)
        else action_request(folder, args)
    )
    if args.compute_capability and not args.out:
        raise UserError("--compute-capability is for another machine's GPU: say with --out where the engine shall go")
    library = find_library()
    device = None if args.compute_capability else Cuda().device
    began = time.monotonic()
    engine = build_engine(library, request.file, request.profile, request.calibration, args.compute_capability)
    took_s = time.monotonic() - began
    written = [] if device is None else [store_engine(EngineKey.of(request.file, request.profile, library, device), engine)]
    if args.out:
        try:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_bytes(engine)
        except OSError as error:
            raise UserError(f"cannot write {args.out}: {error.strerror}") from None
        written.append(args.out)
    where = device.name if device else f"compute capability {args.compute_capability}"
    shapes = ", ".join(f"{name} {shape}" for name, shape in request.profile.items())
    print(
        f"{request.file.name} in {request.file.precision} for {where}, {library.name} {library.version}: {shapes}\n"
        f"{len(engine) / 1e6:.2f} MB in {took_s:.1f} s, written to {', '.join(map(str, written))}"
    )
    write_json(
        args.json,
        {
            "model": request.file.name,
            "precision": request.file.precision,
            "onnx_sha256": request.file.sha256,
            "library": library.name,
            "version": library.version,
            "bytes": len(engine),
            "seconds": round(took_s, 1),
            "written": [str(path) for path in written],
        },
    )
    return 0


def pose_request(spec: PoseSpec, args: argparse.Namespace) -> Request:
    """The pose network at the sizes and in the precision that the options name."""
    shapes = _shapes(args, spec.stride)
    profile = {"image": shapes}
    if args.calibration and args.precision != "int8":
        raise UserError(f"--calibration is for --precision int8, not {args.precision}")
    if args.precision != "int8":
        return Request(spec.network("fp32", computes_in=args.precision), profile)
    if not args.calibration:
        return Request(spec.ranged_for_tensorrt() or spec.network("fp32", computes_in="int8"), profile)
    images = calibration_images(args.calibration, args.calibration_images)
    return Request(spec.network("fp32", computes_in="int8"), profile, calibration_inputs(images, shapes.best[:1:-1]))


def movenet_request(args: argparse.Namespace) -> Request:
    """MoveNet, read from its fetched weights."""
    if args.calibration:
        raise UserError(
            f"--calibration is not for {movenet_network.WEIGHTS}, whose int8 file brings its ranges: run "
            f"export onnx --precision int8 first"
        )
    profile = {"image": _shapes(args, STRIDE)}
    if args.precision == "int8":
        return Request(movenet_network.int8_file(tensorrt=True), profile)
    return Request(movenet_network.onnx_file(args.precision), profile)


def action_request(folder: Path, args: argparse.Namespace) -> Request:
    """A recogniser's step for any number of people."""
    spec, weights = read_spec(folder)
    if args.precision == "int8" or args.calibration:
        raise UserError(
            f"{spec.model_id} is a recogniser, expected --precision fp32 or fp16: what it remembers of a person "
            f"would be rounded at every step"
        )
    return Request(replace(step_file(spec, weights), precision=args.precision), step_profile(spec))


def calibration_images(source: str, count: int) -> Iterator[np.ndarray]:
    """Up to `count` BGR images of a recording, evenly spaced. Raises SourceError where it has none."""
    camera = open_source(source, CameraConfig())
    if camera.live:
        camera.close()
        raise UserError(f"--calibration is {source!r}, a live source; expected a folder of images, a video or a bag")
    every = max(1, (camera.frame_count or 0) // count)
    try:
        for index, frame in enumerate(iter(camera.read, None)):
            if index >= every * count:
                break
            if index % every == 0:
                yield frame.image_bgr
    finally:
        camera.close()


def _shapes(args: argparse.Namespace, stride: int) -> ShapeRange:
    """The inputs that the options name."""
    PoseConfig(input_size=args.input_size)  # says what is wrong with a size
    if not args.image_size:
        return input_range(args.input_size, stride)
    size = Letterbox.fit(_image_size(args.image_size), args.input_size, stride).input_size
    return ShapeRange.fixed((1, 3, *size[::-1]))


def _image_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise UserError(f"--image-size is {text!r}, expected width and height in pixels, such as 640x480")
    return int(width), int(height)
