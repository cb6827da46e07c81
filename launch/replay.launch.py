"""A bag, video file or folder of images in place of a camera; ends with it.

ros2 launch pose_attention_ros replay.launch.py source:=walk.mp4
ros2 launch pose_attention_ros replay.launch.py source:=my_bag topic:=/camera/image_raw record:=out/replay
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

HERE = Path(__file__).resolve().parent


def generate_launch_description() -> LaunchDescription:
    """The arguments of pipeline.launch.py, of which `source` must be given."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("source", description="bag, video file or folder of images to play"),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / "pipeline.launch.py"))),
        ]
    )
