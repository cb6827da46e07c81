"""Records into a bag what an evaluation needs: images, skeletons, graphs, actions, the model's identity, diagnostics.

ros2 launch pose_attention_ros record.launch.py out:=monday                      # a graph that runs already
ros2 launch pose_attention_ros record.launch.py out:=monday source:=0            # starts the graph, too
ros2 launch pose_attention_ros record.launch.py --show-args

Ctrl-C ends it; the bag is whole then. Nothing but this package is needed: rosbag2 need not be installed.
"""

from functools import partial
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from launch import Condition, LaunchContext, LaunchDescription
from pose_attention_ros.launching.arguments import SWITCH, ArgumentError, Arguments
from pose_attention_ros.launching.graph import Graph, Member, ends_with_launch, fail, unshare

PACKAGE = "pose_attention_ros"
HERE = Path(__file__).resolve().parent

ARGUMENTS = (
    DeclareLaunchArgument("out", default_value="", description="folder of the new bag; empty: bag_<date>_<time>"),
    DeclareLaunchArgument(
        "images",
        default_value="compressed",
        choices=["compressed", "raw", "none"],
        description="which form of the images is recorded; none: skeletons and answers alone",
    ),
    DeclareLaunchArgument(
        "storage", default_value="mcap", choices=["mcap", "sqlite3"], description="file format of the bag"
    ),
    DeclareLaunchArgument("pack", default_value="false", description=f"{SWITCH}: pack the messages with zstd"),
    DeclareLaunchArgument(
        "duration_s", default_value="0.0", description="end after so many seconds; 0.0: when the source ends, or on Ctrl-C"
    ),
    DeclareLaunchArgument("image_topic", default_value="image_raw", description="topic of a camera driver's images"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the graph and of the recorder"),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        description=f"{SWITCH}: take the time from /clock (simulation, ros2 bag play --clock)",
    ),
    DeclareLaunchArgument(
        "source",
        default_value="",
        description="camera, video or bag: starts the whole graph on it "
        "(pipeline.launch.py, whose arguments can be given, too); empty: a graph runs already",
    ),
)


def record(context: LaunchContext) -> list[Any]:
    """The recorder, whose graph is that of the source, too; it ends last."""
    args = Arguments(ARGUMENTS, context)
    try:
        parameters = {
            "out": args.out,
            "images": args.images,
            "storage": args.storage,
            "compressed": args.on("pack"),
            "duration_s": args.number("duration_s"),
            "use_sim_time": args.on("use_sim_time"),
        }
    except ArgumentError as error:
        fail(context, str(error))
        context.launch_configurations["source"] = ""  # no graph without its recorder
        return []
    graph = Graph(context, whole=False, respawn_s=None)
    graph.share(context)
    return graph.start(Member("bag_recorder", partial(node, args, parameters), last=True))


def node(args: Arguments, parameters: dict[str, Any], on_exit: Any) -> Node:
    """The recorder."""
    return Node(
        package=PACKAGE,
        executable="bag_recorder_node",
        name="bag_recorder",
        namespace=args.namespace,
        parameters=[parameters],
        additional_env=ends_with_launch(),
        remappings=[] if args.source else [("image_raw", args.image_topic)],
        output="screen",
        emulate_tty=True,
        on_exit=on_exit,
    )


def generate_launch_description() -> LaunchDescription:
    """All arguments, the recorder they ask for, and the graph where a source is given."""
    given = Condition(predicate=lambda context: bool(context.launch_configurations["source"]))
    return LaunchDescription(
        [
            *ARGUMENTS,
            OpaqueFunction(function=record),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(HERE / "pipeline.launch.py")), condition=given),
            OpaqueFunction(function=unshare),
        ]
    )
