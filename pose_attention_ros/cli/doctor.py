"""`pose-attention doctor`: looks at everything the robot needs, and says what to do about what is missing."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from pose_attention_ros.cli.doctor_checks import BAD, GOOD, NOTE, Finding, imports, room, tried
from pose_attention_ros.cli.doctor_ros import ros
from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.pose_model import available_pose_networks, read_pose_spec
from pose_attention_ros.inference.recogniser import available_models, find_model, load_recogniser

_NEWEST_PYTHON = (3, 13)
_SHARED_MEMORY_MB = 64  # 16 MB a process that publishes images (config/fastdds.xml), and room for the rest
_DISK_MB = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print every finding; the exit code is 1 where there is a problem."""
    findings = [finding for check in CHECKS for finding in check()]
    for finding in findings:
        print(f"{finding.state:<8} {finding.about:<16} {finding.found}")
        if finding.remedy:
            print(f"{'':<25} -> {finding.remedy}")
    write_json(args.json, [asdict(finding) for finding in findings])
    problems = sum(finding.state == BAD for finding in findings)
    print(f"{problems} problem{'' if problems == 1 else 's'}" if problems else "everything that is needed is there")
    return int(problems > 0)


def system() -> Iterator[Finding]:
    """Machine, Python, room."""
    yield Finding("machine", GOOD, f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform(terse=True)}")
    fits = (3, 10) <= sys.version_info[:2] <= _NEWEST_PYTHON
    yield Finding(
        "python",
        GOOD if fits else NOTE,
        f"{platform.python_version()} ({sys.executable})",
        "" if fits else "tried with Python 3.10 to 3.13 only",
    )
    yield room(
        "shared memory",
        Path("/dev/shm"),
        _SHARED_MEMORY_MB,
        "images between nodes need it; a container wants --shm-size=256m or --ipc=host",
    )
    yield room("cache", weights.cache_dir(), _DISK_MB, "free some space, or set POSE_ATTENTION_CACHE to another folder")


def runtimes() -> Iterator[Finding]:
    """The libraries that compute."""
    yield imports("numpy", "numpy", "pip install numpy")
    yield imports("OpenCV", "cv2", "apt install python3-opencv, or pip install 'opencv-python-headless<5'")
    lite = "tflite_runtime" if importlib.util.find_spec("ai_edge_litert") is None else "ai_edge_litert.interpreter"
    yield imports("LiteRT", lite, "pip install ai-edge-litert")
    yield imports("ONNX Runtime", "onnxruntime", "pip install onnxruntime")
    yield _tensorrt()
    yield imports("bags", "rosbags", "pip install rosbags", missing=NOTE)
    yield imports(
        "training", "torch", "only for `train` and `export`: pip install 'pose_attention_ros[train]'", missing=NOTE
    )


def models() -> Iterator[Finding]:
    """Every file against its sha256; the recognisers are loaded too."""
    for name in (name for name, file in weights.WEIGHTS.items() if not file.optional or file.path.exists()):
        yield tried(f"pose {name}", lambda name=name: f"{len(weights.load(name)) / 1e6:.1f} MB, sha256 as expected")
    for name in available_pose_networks():
        yield tried(f"pose {name}", lambda name=name: _pose_network(name))
    yield tried("estimator auto", _auto)
    names = available_models()
    if not names:
        yield Finding("recognisers", BAD, "there are none", "restore the folder models/ of the package")
    for name in names:
        yield tried(
            f"model {name}", lambda name=name: f"{len(load_recogniser(name).spec.classes)} classes, in {find_model(name)}"
        )


def cameras() -> Iterator[Finding]:
    """Devices, and what OpenCV can open besides."""
    devices = sorted(Path("/dev").glob("video*"))
    locked = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if not devices:
        yield Finding("cameras", NOTE, "no /dev/video*", "plug one in, or name a stream, a recording or an image topic")
    elif locked:
        yield Finding(
            "cameras", BAD, f"no permission to use {', '.join(locked)}", "sudo usermod -aG video $USER, then log in again"
        )
    else:
        yield Finding("cameras", GOOD, ", ".join(map(str, devices)))
    if importlib.util.find_spec("cv2") is not None:
        from pose_attention_ros.cameras.capture import has_backend

        missing = [name for name in ("CAP_V4L2", "CAP_FFMPEG", "CAP_GSTREAMER") if not has_backend(name)]
        yield Finding(
            "video input",
            NOTE if missing else GOOD,
            f"OpenCV lacks {', '.join(missing)}" if missing else "V4L2, FFmpeg, GStreamer",
            "the distribution's python3-opencv has GStreamer" if "CAP_GSTREAMER" in missing else "",
        )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (system, ros, runtimes, models, cameras)


def _tensorrt() -> Finding:
    """TensorRT and the GPU that it would run on."""
    from pose_attention_ros.inference.trt.cuda import Cuda
    from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library

    try:
        library, device = find_library(), Cuda().device
    except TensorRtUnavailable as error:
        return Finding("TensorRT", NOTE, str(error), "only for the parameter `runtime: tensorrt` on an NVIDIA GPU")
    return Finding(
        "TensorRT", GOOD, f"{library.name} {library.version}, {device.name} (compute capability {device.compute_capability})"
    )


def _auto() -> str:
    """What `estimator: auto` would take here."""
    from pose_attention_ros.inference.estimator_choice import choose, described

    chosen, why = choose(PoseConfig(estimator="auto"))
    return f"{described(chosen)}: {why}"


def _pose_network(name: str) -> str:
    """Every file of it against its sha256."""
    spec = read_pose_spec(name)
    sizes = [f"{precision} {len(spec.network(precision).content) / 1e6:.1f} MB" for precision in spec.files]
    return f"{spec.stages} stages, {', '.join(sizes)}, in {spec.folder}"
