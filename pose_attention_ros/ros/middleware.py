"""What the middleware must be told before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

_PROFILE, _JAZZY_PROFILE = "fastdds.xml", "fastdds_sockets.xml"
_CHOSEN_BY_USER = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")
_OLD_NAME = ("humble", "iron", "jazzy")
_ours: set[str] = set()  # profiles that were set here


def chosen_by_user() -> bool:
    """Whether the user has configured Fast DDS."""
    return any(os.environ.get(name, "") not in ("", *_ours) for name in _CHOSEN_BY_USER)


def make_room_for_images(config_dir: Callable[[], Path]) -> None:
    """Give Fast DDS shared memory in which images fit, for a process that publishes them; call it before rclpy.init.

    Fast DDS's own segment holds 0.5 MB: of 60 best-effort images of 640x480 half arrived on Jazzy and two on Kilted, with
    this profile all. Nothing happens where the user has chosen a profile, and other middlewares don't read it.

    :param config_dir: gives the folder of the profile; a FileNotFoundError of it leaves everything as it is
    """
    if chosen_by_user():
        return
    try:
        # On this machine alone rclpy sets transports of its own, beside which only a whole profile makes room.
        alone = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper() == "LOCALHOST"
        jazzy = os.environ.get("ROS_DISTRO") == "jazzy"
        profile = config_dir() / (_JAZZY_PROFILE if jazzy and not alone else _PROFILE)
    except FileNotFoundError:
        return
    if profile.is_file():
        _ours.add(str(profile))
        os.environ[_CHOSEN_BY_USER[0 if os.environ.get("ROS_DISTRO") in _OLD_NAME else 1]] = str(profile)
