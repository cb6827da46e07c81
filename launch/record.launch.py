"""Records into a bag what an evaluation needs: images, skeletons, graphs, actions, the model's identity, diagnostics.

ros2 launch pose_attention_ros record.launch.py out:=monday                      # a graph that runs already
ros2 launch pose_attention_ros record.launch.py out:=monday source:=0            # starts the graph, too
ros2 launch pose_attention_ros record.launch.py --show-args

Ctrl-C ends it; the bag is whole then. Nothing but this package is needed: rosbag2 need not be installed.
"""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

PACKAGE = "pose_attention_ros"
HERE = Path(__file__).resolve().parent
BOOL = ["true", "false"]

ARGUMENTS = (
    DeclareLaunchArgument("out", default_value="", description="folder of the new bag; empty: bag_<date>_<time>"),
    DeclareLaunchArgument("images", default_value="compressed", choices=["compressed", "raw", "none"],
                          description="which form of the images is recorded; none: skeletons and answers alone"),
    DeclareLaunchArgument("storage", default_value="mcap", choices=["mcap", "sqlite3"],
                          description="file format of the bag"),
    DeclareLaunchArgument("pack", default_value="false", choices=BOOL, description="pack the messages with zstd"),
    DeclareLaunchArgument("duration_s", default_value="0.0",
                          description="end after so many seconds; 0.0: when the source ends, or on Ctrl-C"),
    DeclareLaunchArgument("image_topic", default_value="image_raw", description="topic of a camera driver's images"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the graph and of the recorder"),
    DeclareLaunchArgument("use_sim_time", default_value="false", choices=BOOL,
                          description="take the time from /clock (simulation, ros2 bag play --clock)"),
    DeclareLaunchArgument("source", default_value="", description="camera, video or bag: starts the whole graph on it "
                          "(pipeline.launch.py, whose arguments can be given, too); empty: a graph runs already"),
)


def recorder(context: LaunchContext) -> list[Any]:
    """The recorder, and the graph where a source is given."""
    value = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    parameters = {"out": value["out"], "images": value["images"], "storage": value["storage"],
                  "compressed": value["pack"] == "true", "duration_s": float(value["duration_s"]),
                  "use_sim_time": value["use_sim_time"] == "true"}
    node = Node(
        package=PACKAGE,
        executable="bag_recorder_node",
        name="bag_recorder",
        namespace=value["namespace"],
        parameters=[parameters],
        remappings=[] if value["source"] else [("image_raw", value["image_topic"])],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="bag_recorder ended"),
    )
    graph = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / "pipeline.launch.py")))
    return [node, graph] if value["source"] else [node]


def generate_launch_description() -> LaunchDescription:
    """All arguments, and the recorder they ask for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=recorder)])
