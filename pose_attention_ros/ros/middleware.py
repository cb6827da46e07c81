"""What the middleware must be told before it starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

PROFILE = "fastdds.xml"
_CHOSEN_BY_USER = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")
_OLD_NAME = ("humble", "iron", "jazzy")


def make_room_for_images(config_dir: Callable[[], Path]) -> None:
    """Give Fast DDS shared memory in which images fit, for a process that publishes them; call it before rclpy.init.

    Fast DDS's own segment holds 0.5 MB: of 60 best-effort images of 640x480 half arrived on Jazzy and two on Kilted, with
    this profile all. Nothing happens where the user has chosen a profile, and other middlewares don't read it.

    :param config_dir: gives the folder of the profile; a FileNotFoundError of it leaves everything as it is
    """
    if any(os.environ.get(name) for name in _CHOSEN_BY_USER):
        return
    try:
        profile = config_dir() / PROFILE
    except FileNotFoundError:
        return
    if profile.is_file():
        os.environ[_CHOSEN_BY_USER[0 if os.environ.get("ROS_DISTRO") in _OLD_NAME else 1]] = str(profile)
