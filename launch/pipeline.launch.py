"""The whole graph: camera (or a topic of images) -> pose -> skeleton_graph -> action, and the overlay.

ros2 launch pose_attention_ros pipeline.launch.py source:=0
ros2 launch pose_attention_ros pipeline.launch.py image_topic:=/camera/image_raw
ros2 launch pose_attention_ros pipeline.launch.py source:=0 nodes:=camera                  # on the robot; and elsewhere:
ros2 launch pose_attention_ros pipeline.launch.py image_transport:=compressed image_reliability:=reliable
ros2 launch pose_attention_ros pipeline.launch.py --show-args

An argument left empty keeps what the parameter file, or else the node itself, says.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, Shutdown
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from pose_attention_ros.launching.arguments import SWITCH, ArgumentError, Arguments
from pose_attention_ros.launching.graph import Graph, Member, ends_with_launch, fail

PACKAGE = "pose_attention_ros"
CONFIG = Path(__file__).resolve().parents[1] / "config"
OPTIONAL = ("overlay", "hri_bridge", "web")  # the graph goes on without them
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # until Jazzy, since Kilted

ARGUMENTS = (
    DeclareLaunchArgument("namespace", default_value="", description="namespace of all nodes and topics, e.g. robot1"),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        description=f"{SWITCH}: take the time from /clock (simulation, ros2 bag play --clock)",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=str(CONFIG / "pipeline.yaml"),
        description="YAML file of node parameters; node names as in config/pipeline.yaml",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="least severe messages that the nodes print",
    ),
    DeclareLaunchArgument(
        "source",
        default_value="",
        description="what the camera node plays: camera number or device, "
        "GStreamer pipeline, rtsp:// or http:// address, video file, folder of images, or bag; "
        "empty: no camera node, images come from image_topic",
    ),
    DeclareLaunchArgument(
        "image_topic", default_value="image_raw", description="topic of a camera driver's images; not together with source"
    ),
    DeclareLaunchArgument(
        "image_transport", default_value="", description="raw or compressed: which form of the images is subscribed to"
    ),
    DeclareLaunchArgument(
        "image_reliability",
        default_value="",
        description="best_effort, or reliable: images that the network lost are asked for again",
    ),
    DeclareLaunchArgument(
        "nodes",
        default_value="",
        description="which nodes to start on this machine, separated by "
        "commas, e.g. camera, or pose,skeleton_graph,action; empty: all that the other arguments ask for",
    ),
    DeclareLaunchArgument(
        "dds_profile",
        default_value="",
        description="Fast DDS profile for all nodes, a path or a file of "
        "config/, e.g. fastdds_network.xml between machines; empty: the nodes' own choice",
    ),
    DeclareLaunchArgument("frame_id", default_value="", description="coordinate frame of the source's images"),
    DeclareLaunchArgument(
        "calibration",
        default_value="",
        description="calibration file of the source (YAML of camera_calibration), for camera_info",
    ),
    DeclareLaunchArgument(
        "layout",
        default_value="",
        description="joint layout of the graphs, e.g. common13; the model must have been trained on it",
    ),
    DeclareLaunchArgument("pose_backend", default_value="", description="pose estimator, e.g. movenet"),
    DeclareLaunchArgument(
        "model", default_value="", description="recogniser: a name under models/, or the path of a model directory"
    ),
    DeclareLaunchArgument(
        "composed", default_value="false", description=f"{SWITCH}: all stages in one process, so that no image crosses DDS"
    ),
    DeclareLaunchArgument(
        "overlay",
        default_value="true",
        description=f"{SWITCH}: start the overlay node (it works only while someone subscribes to it)",
    ),
    DeclareLaunchArgument(
        "web",
        default_value="false",
        description=f"{SWITCH}: a page for browsers at http://127.0.0.1:8765 (its parameters: node web)",
    ),
    DeclareLaunchArgument(
        "hri", default_value="false", description=f"{SWITCH}: publish people as bodies of ROS4HRI, too; it needs hri_msgs"
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        description=f"{SWITCH}: configure and activate every node at start, in place of a manager",
    ),
    DeclareLaunchArgument(
        "required",
        default_value="false",
        description=f"{SWITCH}: a failure or the end of this graph "
        "shuts down the whole launch, whatever else it started; false: only this graph ends",
    ),
    DeclareLaunchArgument(
        "respawn",
        default_value="false",
        description=f"{SWITCH}: start a node that failed again, in place of ending the graph",
    ),
    DeclareLaunchArgument(
        "respawn_delay_s",
        default_value="1.0",
        description="respawn: seconds before the first new start; each further failure doubles them, up to 30",
    ),
    DeclareLaunchArgument(
        "record",
        default_value="",
        description="folder for annotated.mp4, actions.jsonl and "
        "summary.json; it needs a source that is a recording, no frame of which is dropped",
    ),
    DeclareLaunchArgument("overwrite", default_value="", description="true: record may replace earlier results"),
    DeclareLaunchArgument("loop", default_value="", description="true: start a recording again at its end"),
    DeclareLaunchArgument("topic", default_value="", description="image topic to take from a bag that has several"),
)


def launch_graph(context: LaunchContext) -> list[Any]:
    """The nodes that the arguments ask for; arguments that do not fit start nothing and fail the launch."""
    args, whole = Arguments(ARGUMENTS, context), False
    try:
        whole = args.on("required")
        graph = Graph.of(context, whole=whole, respawn_s=args.number("respawn_delay_s") if args.on("respawn") else None)
        told = [LogInfo(msg=f"pose_attention_ros: {line}") for line in args.near_misses()]
        return [*told, *graph.start(*members(args, graph.names))]
    except ArgumentError as error:
        fail(context, str(error))
        return [Shutdown(reason=str(error))] if whole else []


def members(args: Arguments, before: list[str]) -> list[Member]:
    """The nodes that the arguments ask for, beside those of the including file. Raises ArgumentError."""
    wanted = wanted_nodes(args)
    for source in {"camera", "pipeline"} & set(wanted) if args.source else ():
        fed = [*before, *(name for name in wanted if name not in (source, *OPTIONAL))]
        wanted[source].update({"wait_for": ",".join(fed)} if fed else {})
    here = on_this_machine(args, list(wanted))
    if "camera" in here and "action" not in here:
        wanted["camera"]["measure_answers"] = True
    make = partial(node, args, args.parameter_file("params_file"), environment(args))
    return [
        Member(name, partial(make, name, wanted[name]), needed=name not in OPTIONAL, last=name == "recorder")
        for name in here
    ]


def wanted_nodes(args: Arguments) -> dict[str, dict[str, Any]]:
    """The nodes of the graph on all machines, and the parameters that arguments give them. Raises ArgumentError."""
    if args.source and args.image_topic != "image_raw":
        raise ArgumentError(
            f"image_topic is {args.image_topic!r} beside source {args.source!r}, expected one of the two: "
            "images come from a camera driver's topic, or from the source"
        )
    if args.record and not args.source and not args.nodes:
        raise ArgumentError(
            f"record is {args.record!r} without source:=..., expected a recording to play; images of a "
            "topic are recorded by record.launch.py"
        )
    play = args.parameters(source="source", topic="topic", frame_id="frame_id", calibration="calibration")
    if args.loop:
        play["loop"] = args.on("loop")
    if args.record:
        play.update(pace="lockstep", acknowledge="recorded")
    see = args.parameters(image_transport="image_transport", image_reliability="image_reliability")
    pose = args.parameters(estimator="pose_backend")
    shape = args.parameters(layout="layout")
    recognise = args.parameters(model="model")
    reliable = {"image_reliability": "reliable"} if args.record else {}

    wanted: dict[str, dict[str, Any]] = {}
    if args.on("composed"):
        wanted["pipeline"] = {**play, **see, **pose, **shape, **recognise}
    else:
        if args.source:
            wanted["camera"] = play
        wanted |= {"pose": {**see, **pose, **reliable}, "skeleton_graph": shape, "action": {**recognise, **see, **reliable}}
    if args.on("overlay"):
        wanted["overlay"] = see
    if args.on("web"):
        wanted["web"] = see
    if args.on("hri"):
        wanted["hri_bridge"] = {}
    if args.record:
        # A node that fails ends the graph; this is for those that take long to start, as on a first run with TensorRT.
        wanted["recorder"] = {
            **args.parameters(image_transport="image_transport"),
            "out": args.record,
            "idle_timeout_s": 600.0,
        }
        if args.overwrite:
            wanted["recorder"]["overwrite"] = args.on("overwrite")
    return wanted


def on_this_machine(args: Arguments, wanted: list[str]) -> list[str]:
    """The nodes to start here: those named by the argument `nodes`, or all.

    :raises ArgumentError: one is named that the other arguments do not ask for
    """
    named = [name.strip() for name in args.nodes.split(",") if name.strip()]
    if strange := [name for name in named if name not in wanted]:
        hint = "; a camera needs source:=..." if strange == ["camera"] and not args.source else ""
        raise ArgumentError(f"nodes is {args.nodes!r}, expected some of {', '.join(wanted)}, not {', '.join(strange)}{hint}")
    return [name for name in wanted if name in named or not named]


def environment(args: Arguments) -> dict[str, str]:
    """What the nodes' processes find in their environment beside what is there.

    :raises ArgumentError: there is no such DDS profile
    """
    if not args.dds_profile:
        return ends_with_launch()
    profile = CONFIG / args.dds_profile if "/" not in args.dds_profile else Path(os.path.expanduser(args.dds_profile))
    if not profile.is_file():
        raise ArgumentError(f"dds_profile is {args.dds_profile!r}, but {profile} is no file")
    return {**ends_with_launch(), **dict.fromkeys(PROFILE_VARIABLES, str(profile.resolve()))}


def camera_info(image_topic: str) -> str:
    """Where a driver publishes its calibration: beside its images."""
    beside, slash, _ = image_topic.removesuffix("/compressed").rpartition("/")
    return f"{beside}{slash}camera_info"


def node(
    args: Arguments, params_file: str, environment: dict[str, str], name: str, parameters: dict[str, Any], on_exit: Any
) -> Node:
    """One node with the common settings."""
    common = {"use_sim_time": args.on("use_sim_time"), "autostart": args.on("autostart")}
    return Node(
        package=PACKAGE,
        executable=f"{name}_node",
        name=name,
        namespace=args.namespace,
        parameters=[params_file, {**common, **parameters}],
        additional_env=environment,
        remappings=[] if args.source else [("image_raw", args.image_topic), ("camera_info", camera_info(args.image_topic))],
        arguments=["--ros-args", "--log-level", args.log_level],
        output="screen",
        emulate_tty=True,
        on_exit=on_exit,
    )


def generate_launch_description() -> LaunchDescription:
    """All arguments, and the graph they ask for."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=launch_graph)])
