"""The pipeline with the profile of a Raspberry Pi 4 or 5: one process, config/pi.yaml.

ros2 launch pose_attention_ros pi.launch.py csi:=0          # the camera module on the ribbon cable
ros2 launch pose_attention_ros pi.launch.py source:=0       # a USB camera
"""

from pathlib import Path

from launch import LaunchDescription
from pose_attention_ros.launching.board import on_board

SHARE = Path(__file__).resolve().parents[1]
# The camera's image processor scales; a frame that is not taken at once makes room for the next.
CSI = (
    "libcamerasrc ! video/x-raw,width=640,height=480,framerate=15/1 ! queue leaky=downstream max-size-buffers=1 ! "
    "videoconvert"
)


def generate_launch_description() -> LaunchDescription:
    """The arguments of pipeline.launch.py, three of them with this profile's defaults, and `csi`."""
    return on_board(SHARE, "pi.yaml", {"0": CSI}, "0: the camera module on the ribbon cable (libcamera)")
