"""The whole graph: camera (or a topic of images) -> pose -> skeleton_graph -> action, and the overlay.

ros2 launch pose_attention_ros pipeline.launch.py source:=0
ros2 launch pose_attention_ros pipeline.launch.py image_topic:=/camera/image_raw
ros2 launch pose_attention_ros pipeline.launch.py --show-args

An argument left empty keeps what the parameter file, or else the node itself, says.
"""

from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription

PACKAGE = "pose_attention_ros"
PARAMS_FILE = Path(__file__).resolve().parents[1] / "config" / "pipeline.yaml"
BOOL = ["true", "false"]

ARGUMENTS = (
    DeclareLaunchArgument("namespace", default_value="", description="namespace of all nodes and topics, e.g. robot1"),
    DeclareLaunchArgument("use_sim_time", default_value="false", choices=BOOL,
                          description="take the time from /clock (simulation, ros2 bag play --clock)"),
    DeclareLaunchArgument("params_file", default_value=str(PARAMS_FILE),
                          description="YAML file of node parameters; node names as in config/pipeline.yaml"),
    DeclareLaunchArgument("log_level", default_value="info", choices=["debug", "info", "warn", "error", "fatal"],
                          description="least severe messages that the nodes print"),
    DeclareLaunchArgument("source", default_value="", description="what the camera node plays: camera number or device, "
                          "GStreamer pipeline, rtsp:// or http:// address, video file, folder of images, or bag; "
                          "empty: no camera node, images come from image_topic"),
    DeclareLaunchArgument("image_topic", default_value="image_raw",
                          description="topic of a camera driver's images, used where source is empty"),
    DeclareLaunchArgument("image_transport", default_value="",
                          description="raw or compressed: which form of the images is subscribed to"),
    DeclareLaunchArgument("pose_backend", default_value="", description="pose estimator, e.g. movenet"),
    DeclareLaunchArgument("model", default_value="",
                          description="recogniser: a name under models/, or the path of a model directory"),
    DeclareLaunchArgument("composed", default_value="false", choices=BOOL,
                          description="camera, pose, graph and action in one process, so that no image crosses DDS"),
    DeclareLaunchArgument("overlay", default_value="true", choices=BOOL,
                          description="start the overlay node (it works only while someone subscribes to it)"),
    DeclareLaunchArgument("autostart", default_value="true", choices=BOOL,
                          description="configure and activate every node at start; false leaves it to a lifecycle manager"),
    DeclareLaunchArgument("record", default_value="", description="folder for annotated.mp4, actions.jsonl and "
                          "summary.json; the source must then be a recording, and no frame of it is dropped"),
    DeclareLaunchArgument("loop", default_value="", description="true: start a recording again at its end"),
    DeclareLaunchArgument("topic", default_value="", description="image topic to take from a bag that has several"),
)


class Arguments:
    """The arguments of this launch, by name, as the user gave them."""

    def __init__(self, context: LaunchContext) -> None:
        self._values = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}

    def __getattr__(self, name: str) -> str:
        return self._values[name]

    def on(self, name: str) -> bool:
        """Whether the switch `name` is true."""
        return self._values[name] == "true"

    def parameters(self, **parameter_of_argument: str) -> dict[str, Any]:
        """ROS parameters from the arguments that were given: parameter=argument."""
        given = {parameter: self._values[argument] for parameter, argument in parameter_of_argument.items()}
        return {parameter: value for parameter, value in given.items() if value}


def graph(context: LaunchContext) -> list[Any]:
    """The nodes that the arguments ask for."""
    args = Arguments(context)
    play: dict[str, Any] = args.parameters(source="source", topic="topic")
    if args.loop:
        play["loop"] = args.on("loop")
    if args.record:
        play.update(pace="lockstep", acknowledge="recorded")
    see = args.parameters(image_transport="image_transport")
    pose = args.parameters(estimator="pose_backend")
    recognise = args.parameters(model="model")
    reliable = {"image_reliability": "reliable"} if args.record else {}

    nodes = []
    if args.on("composed"):
        nodes.append(node(args, "pipeline", {**play, **see, **pose, **recognise}))
    else:
        if args.source:
            nodes.append(node(args, "camera", play))
        nodes += [node(args, "pose", {**see, **pose, **reliable}), node(args, "skeleton_graph", {}),
                  node(args, "action", recognise)]
    if args.on("overlay"):
        nodes.append(node(args, "overlay", see))
    if args.record:
        nodes.append(node(args, "recorder", {**see, "out": args.record}))
    return nodes


def node(args: Arguments, name: str, parameters: dict[str, Any]) -> Node:
    """One node with the common settings; the graph ends when a node that it cannot do without ends."""

    def ended(event: ProcessExited, context: LaunchContext) -> list[Any]:
        if context.is_shutdown:
            return []
        # The recorder finishes its files after the source has ended, and ends then by itself.
        others_go_on = name == "overlay" or (event.returncode == 0 and args.record and name != "recorder")
        why = f"{name} ended with code {event.returncode}"
        return [LogInfo(msg=why)] if others_go_on else [Shutdown(reason=why)]

    common = {"use_sim_time": args.on("use_sim_time"), "autostart": args.on("autostart")}
    return Node(
        package=PACKAGE,
        executable=f"{name}_node",
        name=name,
        namespace=args.namespace,
        parameters=[args.params_file, {**common, **parameters}],
        remappings=[] if args.source else [("image_raw", args.image_topic)],
        arguments=["--ros-args", "--log-level", args.log_level],
        output="screen",
        emulate_tty=True,
        on_exit=ended,
    )


def generate_launch_description() -> LaunchDescription:
    """All arguments, and the graph they ask for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=graph)])
