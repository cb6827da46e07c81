"""The pipeline with the profile of a Raspberry Pi 4 or 5: one process, config/pi.yaml.

ros2 launch pose_attention_ros pi.launch.py csi:=0          # the camera module on the ribbon cable
ros2 launch pose_attention_ros pi.launch.py source:=0       # a USB camera
"""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchContext, LaunchDescription
from pose_attention_ros.launching.arguments import SWITCH

HERE = Path(__file__).resolve().parent
# The camera's image processor scales; a frame that is not taken at once makes room for the next.
CSI = ("libcamerasrc ! video/x-raw,width=640,height=480,framerate=15/1 ! queue leaky=downstream max-size-buffers=1 ! "
       "videoconvert")


def generate_launch_description() -> LaunchDescription:
    """The arguments of pipeline.launch.py, three of them with this profile's defaults, and `csi`."""
    return LaunchDescription([
        DeclareLaunchArgument("csi", default_value="", choices=["", "0"],
                              description="0: the camera module on the ribbon cable (libcamera), in place of source"),
        DeclareLaunchArgument("source", default_value="", description="as for pipeline.launch.py; csi sets it"),
        DeclareLaunchArgument("composed", default_value="true",
                              description=f"{SWITCH}: camera, pose, graph and action in one process, so that no "
                              "image crosses DDS"),
        DeclareLaunchArgument("params_file", default_value=str(HERE.parent / "config" / "pi.yaml"),
                              description="YAML file of node parameters: the profile"),
        OpaqueFunction(function=choose_source),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / "pipeline.launch.py"))),
    ])


def choose_source(context: LaunchContext) -> list[Any]:
    """The camera on the ribbon cable as `source`, where `csi` asks for it."""
    if context.launch_configurations["csi"]:
        context.launch_configurations["source"] = CSI
    return []
