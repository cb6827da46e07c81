"""Runs one node as a process: parameters checked, autostart, clean exits, never a traceback for the user."""

from __future__ import annotations

import sys
import warnings

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import LoggingSeverity
from rclpy.signals import SignalHandlerOptions

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import masked
from pose_attention_ros.program import Stop, stop_of
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.memory import keep_memory_of_images
from pose_attention_ros.ros.parameters import parameter_table

_MIDDLEWARE_LOGGERS = ("rcl", "rcl_lifecycle", "rclpy", "rmw_fastrtps_cpp", "rmw_fastrtps_shared_cpp", "rmw_cyclonedds_cpp")


def run(node_type: type[ManagedNode], arguments: list[str] | None = None) -> int:
    """The body of a node's `main`; returns the exit code.

    0: the node ended as asked, also by SIGINT or SIGTERM; 1: it could not start (one line says why), or its source failed;
    2: bad ROS arguments.
    """
    arguments = sys.argv if arguments is None else arguments
    if "--help" in arguments or "-h" in arguments:
        print((sys.modules[node_type.__module__].__doc__ or "").strip())
        print(f"\nParameters (--ros-args -p NAME:=VALUE):\n{parameter_table(node_type.settings_type)}")
        return 0
    stop = stop_of(node_type.default_name)
    stop.starting()
    _leave_the_generator_out()
    keep_memory_of_images()
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)  # `stop` has them
    except Exception as error:
        print(f"{node_type.default_name}: {_first_line(error)}{_remedy(error)}", file=sys.stderr)
        return 2
    _keep_the_middleware_quiet()
    try:
        return _run_node(node_type, stop)
    finally:
        rclpy.try_shutdown()


def _run_node(node_type: type[ManagedNode], stop: Stop) -> int:
    logger = rclpy.logging.get_logger(node_type.default_name)
    if stop.asked:
        return 0
    try:
        with warnings.catch_warnings():  # rclpy's, about how it cleans up after an error that is told below
            warnings.simplefilter("ignore", RuntimeWarning)
            node = node_type()
    except UserError as error:
        logger.error(str(error))
        return 1
    except Exception as error:  # rcl's own complaints about parameter files and names
        logger.error(f"{_first_line(error)}{_remedy(error)}")
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stop.tell(node.stop)
    try:
        if node.settings.autostart and not _start(node):
            return 0 if node.ending else 1
        stop.running()
        _spin(executor, node)
    finally:
        stop.running()
        node.release()
        executor.shutdown()
        node.destroy_node()
        stop.tell(None)
    return node.exit_code


def _leave_the_generator_out() -> None:
    """With the first message's type support rclpy imports what generates Python from message definitions, and two parsers
    for it, or does without where that cannot be imported: no node generates anything."""
    sys.modules.setdefault("rosidl_generator_py.generate_py_impl", None)


def _keep_the_middleware_quiet() -> None:
    """`--log-level debug` is about this package: rcl would add hundreds of lines a second. `rcl:=debug` asks for them."""
    for name in _MIDDLEWARE_LOGGERS:
        if (
            rclpy.logging.get_logger_level(name) == LoggingSeverity.UNSET
            and rclpy.logging.get_logger_effective_level(name) < LoggingSeverity.INFO
        ):
            rclpy.logging.set_logger_level(name, LoggingSeverity.INFO)


def _start(node: ManagedNode) -> bool:
    """Step by step, as long as nobody asks the node to end."""
    return all(
        not node.ending and step() == TransitionCallbackReturn.SUCCESS
        for step in (node.trigger_configure, node.trigger_activate)
    )


def _spin(executor: SingleThreadedExecutor, node: ManagedNode) -> None:
    while rclpy.ok() and not node.ending:
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception as error:  # of a timer or a service; after a shutdown it is what was under way, and nobody is told
            node.tell_failure("callback", error)


# What rcl complains of -> what to do about it.
_REMEDIES = {
    "log directory": "set ROS_LOG_DIR to a folder that can be written, or add --ros-args --disable-external-lib-logs",
    "__ns:=": "a namespace begins with / and is made of letters, digits and single underscores; no part begins with a digit",
    "namespace": "a namespace does not end with /",
    "surrogates": "an argument is not UTF-8, as all names in ROS are: rename the file",
    "params file": "check its YAML: <node name>: {ros__parameters: {<name>: <value>}}",
}


def _remedy(error: Exception) -> str:
    return next((f"; {remedy}" for complaint, remedy in _REMEDIES.items() if complaint in str(error)), "")


def _first_line(error: Exception) -> str:
    return masked(str(error).strip().split("\n")[0])
