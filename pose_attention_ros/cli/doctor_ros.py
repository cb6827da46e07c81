"""What the nodes need of ROS 2: the doctor's checks of it. Nothing of ROS is imported but to see whether it loads."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pose_attention_ros.cli.doctor_checks import BAD, GOOD, NOTE, Finding, imports, room

_DISTROS = ("humble", "jazzy", "kilted")
_DEFAULT_MIDDLEWARE = "rmw_fastrtps_cpp"
_MESSAGES = ("ActionLabelArray", "ActionModel", "SkeletonArray", "SkeletonGraphArray", "SourceStatus")
_NEEDED = ("sensor_msgs", "visualization_msgs", "diagnostic_msgs", "lifecycle_msgs", "geometry_msgs")
_OPTIONAL = {
    "cv_bridge": "for rare image encodings",
    "hri_msgs": "for the node hri_bridge (ROS4HRI)",
    "foxglove_msgs": "for annotations in Foxglove's Image panel",
}
_YEAR_OF_THIS = 2025  # a clock before it was never set
_LOG_MB = 50


def ros() -> Iterator[Finding]:
    """Whether the nodes can run; the command line needs none of it."""
    if importlib.util.find_spec("rclpy") is None:
        yield Finding(
            "ROS 2",
            NOTE,
            "rclpy cannot be imported, so there are no nodes; `run`, `train`, `evaluate` work",
            "source /opt/ros/<distro>/setup.bash, or scripts/with_ros in a checkout after `make build`",
        )
        return
    distro = os.environ.get("ROS_DISTRO", "")
    known = distro in _DISTROS
    yield Finding(
        "ROS 2",
        GOOD if known else NOTE,
        distro or "ROS_DISTRO is not set",
        "" if known else f"written for {', '.join(_DISTROS)}",
    )
    yield imports("rclpy", "rclpy", "source the setup file of the same ROS 2 that this Python belongs to")
    yield _middleware()
    yield _messages()
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    yield Finding(
        "ROS packages",
        BAD if absent else GOOD,
        f"not there: {', '.join(absent)}" if absent else ", ".join(_NEEDED),
        "rosdep install --from-paths src --ignore-src -y" if absent else "",
    )
    for name, purpose in _OPTIONAL.items():
        package = f"ros-{distro or '<distro>'}-{name.replace('_', '-')}"
        yield imports(name, name, f"only {purpose}: sudo apt install {package}", NOTE)
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    yield Finding("domain", GOOD, f"ROS_DOMAIN_ID {domain}: only nodes with the same number are heard")
    home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
    yield room(
        "ROS logs",
        Path(os.environ.get("ROS_LOG_DIR") or home / "log"),
        _LOG_MB,
        "free some space, or set ROS_LOG_DIR to a folder that can be written",
    )
    yield _security()
    was_set = time.gmtime().tm_year >= _YEAR_OF_THIS
    yield Finding(
        "clock",
        GOOD if was_set else NOTE,
        time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "" if was_set else "stamps of several machines will not fit: set the clock (timedatectl, chrony)",
    )


def _middleware() -> Finding:
    """The library of the chosen middleware, where the prefixes of this environment have it."""
    name = os.environ.get("RMW_IMPLEMENTATION") or _DEFAULT_MIDDLEWARE
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / "lib" / f"lib{name}{suffix}").is_file():
            profile = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE") or os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
            if profile and not Path(profile).is_file():
                return Finding(
                    "middleware",
                    BAD,
                    f"{name}; its profile {profile} is not there",
                    "name another file in FASTDDS_DEFAULT_PROFILES_FILE, or unset it",
                )
            return Finding("middleware", GOOD, f"{name}{f', profile {profile}' if profile else ''}")
    return Finding(
        "middleware",
        BAD,
        f"{name} is not installed in any prefix of AMENT_PREFIX_PATH",
        f"sudo apt install ros-$ROS_DISTRO-{name.replace('_', '-')}, or unset RMW_IMPLEMENTATION",
    )


def _messages() -> Finding:
    """Our messages: built, loading, and all of them."""
    remedy = "build the package (colcon build, or make build), then source install/setup.bash"
    found = imports("messages", "pose_attention_ros.msg", remedy)
    if found.state != GOOD:
        return found
    absent = [name for name in _MESSAGES if not hasattr(sys.modules["pose_attention_ros.msg"], name)]
    return Finding("messages", BAD, f"an old build: it lacks {', '.join(absent)}", remedy) if absent else found


def _security() -> Finding:
    """Whether SROS2 is on, and its keystore there."""
    if os.environ.get("ROS_SECURITY_ENABLE", "").lower() != "true":
        return Finding("security", GOOD, "SROS2 is off: whoever reaches this domain may listen and publish")
    keystore = os.environ.get("ROS_SECURITY_KEYSTORE", "")
    if not keystore or not (Path(keystore) / "enclaves").is_dir():
        return Finding(
            "security",
            BAD,
            f"SROS2 is on, and ROS_SECURITY_KEYSTORE {keystore!r} is no keystore",
            "ros2 security create_keystore FOLDER, and set ROS_SECURITY_KEYSTORE to it (docs/security.md)",
        )
    return Finding("security", GOOD, f"SROS2, keystore {keystore}")
