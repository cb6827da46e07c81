"""The pipeline with the profile of an NVIDIA Jetson Nano or Orin Nano: one process, config/nano.yaml.

ros2 launch pose_attention_ros nano.launch.py csi:=0        # the camera on the CSI connector
ros2 launch pose_attention_ros nano.launch.py source:=0     # a USB camera
"""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction

from launch import LaunchContext, LaunchDescription
from pose_attention_ros.launching.board import on_board

SHARE = Path(__file__).resolve().parents[1]
SYSFS = Path("/sys/devices/system/cpu")
# The camera's image processor scales in its own memory (NVMM); the CPU sees the small image only.
CSI = (
    "nvarguscamerasrc sensor-id={number} ! video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! "
    "nvvidconv ! video/x-raw,width=640,height=360,format=BGRx ! videoconvert"
)


def generate_launch_description() -> LaunchDescription:
    """The arguments of pipeline.launch.py, four of them with this profile's defaults, and `csi`."""
    return on_board(
        SHARE,
        "nano.yaml",
        {number: CSI.format(number=number) for number in "01"},
        "number of the camera on a CSI connector",
        DeclareLaunchArgument(
            "pose_backend",
            default_value="movenet",
            description="pose estimator: movenet on the processor, or pose_cnn on the GPU by TensorRT, which finds less",
        ),
        OpaqueFunction(function=tell_power),
    )


def tell_power(context: LaunchContext) -> list[Any]:
    """What the board's power mode calls for."""
    return [LogInfo(msg=hint) for hint in power_hints(SYSFS)]


def power_hints(sysfs: Path) -> list[str]:
    """What makes this board slower than it could be, and the command against it."""
    hints = []
    there, at_work = (cores((sysfs / name).read_text()) if (sysfs / name).is_file() else 0 for name in ("present", "online"))
    if at_work < there:
        hints.append(
            f"{there - at_work} of {there} processor cores are switched off by the power mode; "
            "`sudo nvpmodel -q` tells it, `sudo nvpmodel -m 0` takes the largest of most boards"
        )
    governor = sysfs / "cpu0" / "cpufreq" / "scaling_governor"
    if governor.is_file() and governor.read_text().strip() == "powersave":
        hints.append("the processor's clock is held low (governor powersave); `sudo jetson_clocks` holds it high")
    return hints


def cores(ranges: str) -> int:
    """How many are in a list such as 0-3,6."""
    ends = [part.split("-") for part in ranges.strip().split(",") if part]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
