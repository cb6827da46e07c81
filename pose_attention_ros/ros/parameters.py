"""A node's settings dataclass as ROS parameters: descriptors, reading, and changes that are checked before they happen."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from pose_attention_ros.core.config import Settings, checked, with_secrets
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import masked

SettingsType = TypeVar("SettingsType", bound=Settings)
_INT64 = (-(2**63), 2**63 - 1)
_ROS_OWN = ("use_sim_time", "start_type_description_service")  # declared by rclpy itself; and qos_overrides.*


def descriptor(field: dataclasses.Field) -> ParameterDescriptor:
    """What `ros2 param describe` shows of a setting. Typing is dynamic so that YAML's `1` may set a float of 1.0; the
    type is checked with the range, by `checked`."""
    about = field.metadata
    unit = f" [{about['unit']}]" if about["unit"] else ""
    notes = [f"one of: {', '.join(map(str, about['choices']))}"] if about["choices"] else []
    notes.append("may change while the node runs" if about["live"] else "may change while the node is unconfigured")
    made = ParameterDescriptor(
        name=field.name, description=about["doc"] + unit, dynamic_typing=True, additional_constraints="; ".join(notes)
    )
    low, high = about["low"], about["high"]
    if (low, high) == (None, None):
        return made
    if isinstance(field.default, float):
        made.floating_point_range = [
            FloatingPointRange(
                from_value=-sys.float_info.max if low is None else float(low),
                to_value=sys.float_info.max if high is None else float(high),
            )
        ]
    else:
        made.integer_range = [
            IntegerRange(from_value=_INT64[0] if low is None else low, to_value=_INT64[1] if high is None else high)
        ]
    return made


class Parameters(Generic[SettingsType]):
    """Declares every field of `kind` on `node`, holds the current record in `.value` and keeps the two equal.

    But for passwords in texts: ROS tells parameters to everybody, so there they are masked, and the record alone has them.
    A text set as it is shown is the one that was there. In a text given at start ${NAME} stands for a password that the
    environment has; not in one that is set later, for whoever may set it need not be one who may read the environment.

    :param locked: why settings that are not live cannot change now, or None when they can
    :param on_change: told of the new record after a change was accepted
    :raises UserError: a value given at start does not fit
    """

    def __init__(
        self,
        node: Node,
        kind: type[SettingsType],
        locked: Callable[[], str | None],
        on_change: Callable[[SettingsType], None],
    ) -> None:
        self._fields = {field.name: field for field in dataclasses.fields(kind)}
        self._locked, self._on_change = locked, on_change
        self._behind: dict[tuple[str, str], str] = {}  # what is behind a text, by setting and as it is shown
        overrides = getattr(node, "_parameter_overrides", {})  # rclpy ignores what is not declared; a typo must show
        overrides.update({name: self._shown(self._of_type(value)) for name, value in overrides.items()})
        self.unknown = sorted(
            name
            for name in overrides
            if name not in self._fields and name not in _ROS_OWN and not name.startswith("qos_overrides.")
        )
        self.value = kind(**{name: self._declare(node, field, overrides) for name, field in self._fields.items()})
        if hasattr(node, "add_pre_set_parameters_callback"):  # not in Humble, where the settings alone have the right type
            node.add_pre_set_parameters_callback(lambda changes: [self._shown(self._of_type(change)) for change in changes])
        node.add_on_set_parameters_callback(self._on_set)

    def _of_type(self, given: Parameter) -> Parameter:
        """`given` with a value of its setting's type, where it can mean one: then its type never changes."""
        field = self._fields.get(given.name)
        value = given.value if field is None else _as_setting(field, given.value)
        return given if value is given.value else Parameter(given.name, value=value)

    def _shown(self, given: Parameter) -> Parameter:
        """`given` as everybody may see it."""
        if type(given.value) is not str or masked(given.value) == given.value:
            return given
        shown = masked(given.value)
        self._behind[given.name, shown] = given.value
        return Parameter(given.name, value=shown)

    def _meant(self, name: str, value: Any) -> Any:
        """What was given, where `value` is how it is shown."""
        return self._behind.get((name, value), value) if type(value) is str else value

    def _declare(self, node: Node, field: dataclasses.Field, overrides: dict[str, Parameter]) -> Any:
        if field.name in overrides:
            checked(field, _as_setting(field, overrides[field.name].value))
        try:
            value = _as_setting(field, node.declare_parameter(field.name, field.default, descriptor(field)).value)
            if type(value) is not str:
                return value
            full = self._behind[field.name, value] = with_secrets(field.name, self._meant(field.name, value), os.environ)
            return full
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise UserError(str(error)) from None

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        """All changes or none; the reason is the settings' own message."""
        wanted = {
            change.name: self._meant(change.name, _as_setting(self._fields[change.name], change.value))
            for change in changes
            if change.name in self._fields
        }
        if not wanted:
            return SetParametersResult(successful=True)
        reason = self._locked()
        fixed = [name for name in wanted if not self._fields[name].metadata["live"]]
        if reason and fixed:
            return SetParametersResult(successful=False, reason=f"{', '.join(fixed)} cannot change now: {reason}")
        before = self.value
        try:
            self.value = dataclasses.replace(before, **wanted)
            self._on_change(self.value)
        except UserError as error:
            self.value = before
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def _as_setting(field: dataclasses.Field, value: Any) -> Any:
    """YAML reads `source:=0` as a number, where the setting means a text; 1 as an integer, where it means 1.0; 1 for yes."""
    kind = type(field.default)
    if kind is str and type(value) is int:
        return str(value)
    if kind is float and type(value) is int:
        return float(value)
    if kind is bool and type(value) is int and value in (0, 1):
        return bool(value)
    return value


def parameter_table(kind: type[Settings]) -> str:
    """Name, default, range and description of each setting, one a line: what a node's --help prints."""
    lines = []
    for field in dataclasses.fields(kind):
        about = field.metadata
        limits = "|".join(map(str, about["choices"]))
        if about["low"] is not None or about["high"] is not None:
            limits = f"{'' if about['low'] is None else about['low']}..{'' if about['high'] is None else about['high']}"
        lines.append(
            (
                field.name,
                f"{field.default!r}",
                " ".join(filter(None, (limits, about["unit"]))),
                about["doc"] + (" (live)" if about["live"] else ""),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)) + f"  {line[3]}" for line in lines
    )
