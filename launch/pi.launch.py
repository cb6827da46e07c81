"""The pipeline with the profile of a Raspberry Pi: one process, config/pi.yaml.

ros2 launch pose_attention_ros pi.launch.py source:=0
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchDescription

HERE = Path(__file__).resolve().parent


def generate_launch_description() -> LaunchDescription:
    """The arguments of pipeline.launch.py, two of them with this profile's defaults."""
    return LaunchDescription([
        DeclareLaunchArgument("composed", default_value="true", choices=["true", "false"],
                              description="camera, pose, graph and action in one process, so that no image crosses DDS"),
        DeclareLaunchArgument("params_file", default_value=str(HERE.parent / "config" / "pi.yaml"),
                              description="YAML file of node parameters: the profile"),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / "pipeline.launch.py"))),
    ])
