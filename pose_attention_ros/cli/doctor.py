"""`pose-attention doctor`: looks at everything the robot needs, and says what to do about what is missing."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.pose_model import available_pose_networks, read_pose_spec
from pose_attention_ros.inference.recogniser import available_models, find_model, load_recogniser

GOOD, NOTE, BAD = "ok", "note", "problem"
_NEWEST_PYTHON = (3, 13)
_DISTROS = ("humble", "jazzy", "kilted")
_SHARED_MEMORY_MB = 64  # 16 MB a process that publishes images (config/fastdds.xml), and room for the rest
_DISK_MB = 100


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: GOOD, NOTE (works, but) or BAD; remedy: what to do, where there is something to do."""

    about: str
    state: str
    found: str
    remedy: str = ""


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
    yield Finding("python", GOOD if fits else NOTE, f"{platform.python_version()} ({sys.executable})",
                  "" if fits else "tried with Python 3.10 to 3.13 only")
    yield _room("shared memory", Path("/dev/shm"), _SHARED_MEMORY_MB, "images between nodes need it; a container wants "
                "--shm-size=256m or --ipc=host")
    yield _room("cache", weights.cache_dir(), _DISK_MB, "free some space, or set POSE_ATTENTION_CACHE to another folder")


def ros() -> Iterator[Finding]:
    """Whether the nodes can run; the command line needs none of it."""
    distro, middleware = os.environ.get("ROS_DISTRO", ""), os.environ.get("RMW_IMPLEMENTATION", "the default")
    if importlib.util.find_spec("rclpy") is None:
        yield Finding("ROS 2", NOTE, "rclpy cannot be imported, so there are no nodes; `run`, `train`, `evaluate` work",
                      "source /opt/ros/<distro>/setup.bash, or scripts/with_ros in a checkout after `make build`")
        return
    known = distro in _DISTROS
    yield Finding("ROS 2", GOOD if known else NOTE, f"{distro or 'ROS_DISTRO is not set'}, middleware: {middleware}",
                  "" if known else f"written for {', '.join(_DISTROS)}")
    yield _imports("rclpy", "rclpy", "source the setup file of the same ROS 2 that this Python belongs to")
    yield _imports("messages", "pose_attention_ros.msg", "build the package (colcon build, or make build), then source "
                   "install/setup.bash")
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    yield Finding("domain", GOOD, f"ROS_DOMAIN_ID {domain}: only nodes with the same number are heard")


def runtimes() -> Iterator[Finding]:
    """The libraries that compute."""
    yield _imports("numpy", "numpy", "pip install numpy")
    yield _imports("OpenCV", "cv2", "apt install python3-opencv, or pip install 'opencv-python-headless<5'")
    yield _imports("tracking", "norfair", "pip install 'norfair>=2.1.1,<2.2'")
    lite = "tflite_runtime" if importlib.util.find_spec("ai_edge_litert") is None else "ai_edge_litert.interpreter"
    yield _imports("LiteRT", lite, "pip install ai-edge-litert")
    yield _imports("ONNX Runtime", "onnxruntime", "pip install onnxruntime")
    yield _tensorrt()
    yield _imports("bags", "rosbags", "pip install rosbags", missing=NOTE)
    yield _imports("training", "torch", "only for `train` and `export`: pip install 'pose_attention_ros[train]'",
                   missing=NOTE)


def models() -> Iterator[Finding]:
    """Every file against its sha256; the recognisers are loaded too."""
    for name in weights.WEIGHTS:
        yield _tried(f"pose {name}", lambda name=name: f"{len(weights.load(name)) / 1e6:.1f} MB, sha256 as expected")
    for name in available_pose_networks():
        yield _tried(f"pose {name}", lambda name=name: _pose_network(name))
    names = available_models()
    if not names:
        yield Finding("recognisers", BAD, "there are none", "restore the folder models/ of the package")
    for name in names:
        yield _tried(f"model {name}", lambda name=name: f"{len(load_recogniser(name).spec.classes)} classes, "
                     f"in {find_model(name)}")


def cameras() -> Iterator[Finding]:
    """Devices, and what OpenCV can open besides."""
    devices = sorted(Path("/dev").glob("video*"))
    locked = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if not devices:
        yield Finding("cameras", NOTE, "no /dev/video*", "plug one in, or name a stream, a recording or an image topic")
    elif locked:
        yield Finding("cameras", BAD, f"no permission to use {', '.join(locked)}",
                      "sudo usermod -aG video $USER, then log in again")
    else:
        yield Finding("cameras", GOOD, ", ".join(map(str, devices)))
    if importlib.util.find_spec("cv2") is not None:
        from pose_attention_ros.cameras.capture import has_backend
        missing = [name for name in ("CAP_V4L2", "CAP_FFMPEG", "CAP_GSTREAMER") if not has_backend(name)]
        yield Finding("video input", NOTE if missing else GOOD,
                      f"OpenCV lacks {', '.join(missing)}" if missing else "V4L2, FFmpeg, GStreamer",
                      "the distribution's python3-opencv has GStreamer" if "CAP_GSTREAMER" in missing else "")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (system, ros, runtimes, models, cameras)


def _tensorrt() -> Finding:
    """TensorRT and the GPU that it would run on."""
    from pose_attention_ros.inference.trt.cuda import Cuda
    from pose_attention_ros.inference.trt.library import TensorRtUnavailable, find_library

    try:
        library, device = find_library(), Cuda().device
    except TensorRtUnavailable as error:
        return Finding("TensorRT", NOTE, str(error), "only for the parameter `runtime: tensorrt` on an NVIDIA GPU")
    return Finding("TensorRT", GOOD, f"{library.name} {library.version}, {device.name} (compute capability "
                   f"{device.compute_capability})")


def _pose_network(name: str) -> str:
    """Every file of it against its sha256."""
    spec = read_pose_spec(name)
    sizes = [f"{precision} {len(spec.network(precision).content) / 1e6:.1f} MB" for precision in spec.files]
    return f"{spec.stages} stages, {', '.join(sizes)}, in {spec.folder}"


def _imports(about: str, module: str, remedy: str, missing: str = BAD) -> Finding:
    """Import for real: a library that is there and does not load is a problem too."""
    if importlib.util.find_spec(module.split(".")[0]) is None:
        return Finding(about, missing, "not installed", remedy)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a broken library raises what it likes
        return Finding(about, BAD, f"{module} does not load: {' '.join(str(error).split())}", remedy)
    return Finding(about, GOOD, str(getattr(found, "__version__", "") or _version(module)))


def _version(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module.split(".")[0], ())
    return f"{names[0]} {importlib.metadata.version(names[0])}" if names else "loads"


def _tried(about: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(about, GOOD, attempt())
    except UserError as error:
        return Finding(about, BAD, str(error))


def _room(about: str, folder: Path, least_mb: int, remedy: str) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_mb = shutil.disk_usage(there).free / 2**20
    enough = free_mb >= least_mb
    return Finding(about, GOOD if enough else BAD, f"{free_mb:.0f} MB free in {there}", "" if enough else remedy)
