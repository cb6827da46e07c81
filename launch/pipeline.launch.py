"""The whole graph: camera (or a topic of images) -> pose -> skeleton_graph -> action, and the overlay.

ros2 launch pose_attention_ros pipeline.launch.py source:=0
ros2 launch pose_attention_ros pipeline.launch.py image_topic:=/camera/image_raw
ros2 launch pose_attention_ros pipeline.launch.py source:=0 nodes:=camera                  # on the robot; and elsewhere:
ros2 launch pose_attention_ros pipeline.launch.py image_transport:=compressed image_reliability:=reliable
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
CONFIG = Path(__file__).resolve().parents[1] / "config"
BOOL = ["true", "false"]
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # until Jazzy, since Kilted

ARGUMENTS = (
    DeclareLaunchArgument("namespace", default_value="", description="namespace of all nodes and topics, e.g. robot1"),
    DeclareLaunchArgument("use_sim_time", default_value="false", choices=BOOL,
                          description="take the time from /clock (simulation, ros2 bag play --clock)"),
    DeclareLaunchArgument("params_file", default_value=str(CONFIG / "pipeline.yaml"),
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
    DeclareLaunchArgument("image_reliability", default_value="",
                          description="best_effort, or reliable: images that the network lost are asked for again"),
    DeclareLaunchArgument("nodes", default_value="", description="which nodes to start on this machine, separated by "
                          "commas, e.g. camera, or pose,skeleton_graph,action; empty: all that the other arguments ask for"),
    DeclareLaunchArgument("dds_profile", default_value="", description="Fast DDS profile for all nodes, a path or a file of "
                          "config/, e.g. fastdds_network.xml between machines; empty: the nodes' own choice"),
    DeclareLaunchArgument("pose_backend", default_value="", description="pose estimator, e.g. movenet"),
    DeclareLaunchArgument("model", default_value="",
                          description="recogniser: a name under models/, or the path of a model directory"),
    DeclareLaunchArgument("composed", default_value="false", choices=BOOL,
                          description="camera, pose, graph and action in one process, so that no image crosses DDS"),
    DeclareLaunchArgument("overlay", default_value="true", choices=BOOL,
                          description="start the overlay node (it works only while someone subscribes to it)"),
    DeclareLaunchArgument("hri", default_value="false", choices=BOOL,
                          description="start the node that publishes people as bodies of ROS4HRI; it needs hri_msgs"),
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
    see = args.parameters(image_transport="image_transport", image_reliability="image_reliability")
    pose = args.parameters(estimator="pose_backend")
    recognise = args.parameters(model="model")
    reliable = {"image_reliability": "reliable"} if args.record else {}

    wanted: dict[str, dict[str, Any]] = {}
    if args.on("composed"):
        wanted["pipeline"] = {**play, **see, **pose, **recognise}
    else:
        if args.source:
            wanted["camera"] = play
        wanted |= {"pose": {**see, **pose, **reliable}, "skeleton_graph": {}, "action": {**recognise, **see, **reliable}}
    if args.on("overlay"):
        wanted["overlay"] = see
    if args.on("hri"):
        wanted["hri_bridge"] = {}
    if args.record:
        wanted["recorder"] = {**args.parameters(image_transport="image_transport"), "out": args.record}
    here = on_this_machine(args, list(wanted))
    if "camera" in here and "action" not in here:
        wanted["camera"]["measure_answers"] = True
    return [node(args, name, wanted[name]) for name in here]


def on_this_machine(args: Arguments, wanted: list[str]) -> list[str]:
    """The nodes to start here: those named by the argument `nodes`, or all.

    :raises ValueError: one is named that the other arguments do not ask for
    """
    named = [name.strip() for name in args.nodes.split(",") if name.strip()]
    if strange := [name for name in named if name not in wanted]:
        hint = "; a camera needs source:=..." if strange == ["camera"] and not args.source else ""
        raise ValueError(f"nodes is {args.nodes!r}, expected some of {', '.join(wanted)}, not {', '.join(strange)}{hint}")
    return [name for name in wanted if name in named or not named]


def environment(args: Arguments) -> dict[str, str]:
    """What the nodes' processes find in their environment beside what is there.

    :raises ValueError: there is no such DDS profile
    """
    if not args.dds_profile:
        return {}
    profile = CONFIG / args.dds_profile if "/" not in args.dds_profile else Path(args.dds_profile).expanduser()
    if not profile.is_file():
        raise ValueError(f"dds_profile is {args.dds_profile!r}, but {profile} is no file")
    return dict.fromkeys(PROFILE_VARIABLES, str(profile.resolve()))


def node(args: Arguments, name: str, parameters: dict[str, Any]) -> Node:
    """One node with the common settings; the graph ends when a node that it cannot do without ends."""

    def ended(event: ProcessExited, context: LaunchContext) -> list[Any]:
        if context.is_shutdown:
            return []
        # The recorder finishes its files after the source has ended, and ends then by itself.
        others_go_on = name in ("overlay", "hri_bridge") or (event.returncode == 0 and args.record and name != "recorder")
        why = f"{name} ended with code {event.returncode}"
        return [LogInfo(msg=why)] if others_go_on else [Shutdown(reason=why)]

    common = {"use_sim_time": args.on("use_sim_time"), "autostart": args.on("autostart")}
    return Node(
        package=PACKAGE,
        executable=f"{name}_node",
        name=name,
        namespace=args.namespace,
        parameters=[args.params_file, {**common, **parameters}],
        additional_env=environment(args),
        remappings=[] if args.source else [("image_raw", args.image_topic)],
        arguments=["--ros-args", "--log-level", args.log_level],
        output="screen",
        emulate_tty=True,
        on_exit=ended,
    )


def generate_launch_description() -> LaunchDescription:
    """All arguments, and the graph they ask for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=graph)])
