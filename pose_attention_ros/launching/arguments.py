"""Launch arguments as the user gave them, checked before anything starts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext

_NEAR = 0.8  # of 1: a letter too many, too few or swapped
SWITCH = "true or false"
_ON, _OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class ArgumentError(ValueError):
    """An argument does not fit: one line that names it, its value and what was expected."""


class Arguments:
    """The values of `declared` in this launch, by name."""

    def __init__(self, declared: Iterable[DeclareLaunchArgument], context: LaunchContext) -> None:
        self._values = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in declared}
        self._others = sorted(set(context.launch_configurations) - set(self._values))

    def __getattr__(self, name: str) -> str:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def near_misses(self) -> list[str]:
        """A line for each argument that is none of these but nearly one: `launch` takes any name without a word. It may be
        another launch file's own."""
        near = {name: difflib.get_close_matches(name, self._values, 1, _NEAR) for name in self._others}
        return [f"there is no argument {name!r}; is {found[0]} meant?" for name, found in near.items() if found]

    def on(self, name: str) -> bool:
        """Whether the switch `name` is on. Raises ArgumentError for what is neither on nor off."""
        value = self._values[name].strip().lower()
        if value not in _ON + _OFF:
            raise ArgumentError(f"{name} is {self._values[name]!r}, expected {SWITCH}")
        return value in _ON

    def number(self, name: str, low: float = 0.0) -> float:
        """The number `name`. Raises ArgumentError for text, and below `low`."""
        try:
            value = float(self._values[name])
        except ValueError:
            value = float("nan")
        if not low <= value < float("inf"):
            raise ArgumentError(f"{name} is {self._values[name]!r}, expected a number of at least {low:g}")
        return value

    def parameters(self, **argument_of_parameter: str) -> dict[str, Any]:
        """ROS parameters from the arguments that were given: parameter=argument."""
        given = {parameter: self._values[argument] for parameter, argument in argument_of_parameter.items()}
        return {parameter: value for parameter, value in given.items() if value}

    def parameter_file(self, name: str) -> str:
        """The path `name` of a YAML file of parameters. Raises ArgumentError where it is none."""
        path = Path(os.path.expanduser(self._values[name]))
        expected = "expected a YAML file of parameters: <node name>: {ros__parameters: {<name>: <value>}}"
        if not path.is_file():
            raise ArgumentError(f"{name} is {self._values[name]!r}, but there is no such file; {expected}")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ArgumentError(f"{name} is {self._values[name]!r}, {expected}: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise ArgumentError(f"{name} is {self._values[name]!r}, {expected}")
        return str(path.resolve())
