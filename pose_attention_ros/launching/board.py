"""The launch file of a kind of board: pipeline.launch.py with the board's defaults, and its camera connector as `csi`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource

from launch import LaunchContext, LaunchDescription
from pose_attention_ros.launching.arguments import SWITCH

PIPELINE = "pipeline.launch.py"


def on_board(share: Path, params_file: str, pipelines: Mapping[str, str], connector: str, *more: Any) -> LaunchDescription:
    """All nodes in one process, with the board's parameters.

    :param share: the folder that `launch` and `config` lie in
    :param params_file: name of the profile in `config`
    :param pipelines: GStreamer pipeline of the camera at each number that `csi` takes
    :param connector: what the argument `csi` says of itself
    :param more: further arguments and actions, before the pipeline's
    """

    def choose_source(context: LaunchContext) -> None:
        if number := context.launch_configurations["csi"]:
            context.launch_configurations["source"] = pipelines[number]

    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "csi", default_value="", choices=["", *pipelines], description=f"{connector}, in place of source"
            ),
            DeclareLaunchArgument("source", default_value="", description="as for pipeline.launch.py; csi sets it"),
            DeclareLaunchArgument(
                "composed",
                default_value="true",
                description=f"{SWITCH}: camera, pose, graph and action in one process, so that no image crosses DDS",
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value=str(share / "config" / params_file),
                description="YAML file of node parameters: the profile",
            ),
            *more,
            OpaqueFunction(function=choose_source),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(str(share / "launch" / PIPELINE))),
        ]
    )
