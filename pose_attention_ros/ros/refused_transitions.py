"""Transitions that are not possible now are refused, where rclpy lets them end the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node


def refuse_the_impossible(node: Node, tell: Callable[[str, str], None]) -> None:
    """Make the node's change_state service answer every request.

    rclpy raises out of the executor at an impossible one (to activate what is active): the process ends, and the caller
    waits for ever.

    :param tell: told the transition and what rcl says of it
    """
    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = partial(_answer, service.callback, tell)


def _answer(change: Callable[[Any, Any], Any], tell: Callable[[str, str], None], request: Any, response: Any) -> Any:
    try:
        return change(request, response)
    except RuntimeError as error:  # RCLError, which rclpy keeps to itself
        tell(request.transition.label or str(request.transition.id), str(error).partition(",")[0])
        response.success = False
        return response
