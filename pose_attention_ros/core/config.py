"""Settings as frozen dataclasses whose fields carry their own unit, range and description.

One such dataclass is the only place where a default is written: command-line options, ROS parameter descriptors and the
check of YAML files are all derived from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import filled


def setting(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Any] = (),
    live: bool = False,
) -> Any:
    """A dataclass field with what its readers need to know.

    :param default: the one default; its type is the setting's type (bool, int, float, str or tuple of one of them)
    :param low, high: inclusive range of a number
    :param choices: allowed values, empty for any
    :param live: whether it may change while the stage runs
    """
    metadata = {"doc": doc, "unit": unit, "low": low, "high": high, "choices": tuple(choices), "live": live}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of the settings dataclasses: checks every field's type, range and choices when the record is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, checked(field, getattr(self, field.name)))


def checked(field: dataclasses.Field, value: Any) -> Any:
    """`value` as the field's type. Raises UserError that names the setting, the value and what was expected."""
    default: Any = field.default
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is tuple and isinstance(value, (list, tuple)):
        value = tuple(value)
    if type(value) is not kind:
        raise UserError(f"{field.name} is {value!r}, expected {kind.__name__}")
    unit = f" {field.metadata['unit']}" if field.metadata["unit"] else ""
    if kind is float and not math.isfinite(value):
        raise UserError(f"{field.name} is {value}, expected a finite number{unit}")
    low, high, choices = (field.metadata[key] for key in ("low", "high", "choices"))
    if (low is not None and value < low) or (high is not None and value > high):
        wanted = (
            f"{low} to {high}"
            if low is not None and high is not None
            else f"at least {low}"
            if high is None
            else f"at most {high}"
        )
        raise UserError(f"{field.name} is {value}, expected {wanted}{unit}")
    if choices and value not in choices:
        raise UserError(f"{field.name} is {value!r}, expected one of {', '.join(map(repr, choices))}")
    return value


def with_secrets(name: str, text: str, variables: Mapping[str, str]) -> str:
    """A setting's text with the passwords that stand as ${NAME} in it. Raises UserError where there is none of that name."""
    try:
        return filled(text, variables)
    except KeyError as error:
        raise UserError(f"{name} is {text!r}, but the environment has no variable {error.args[0]}") from None
    except ValueError:
        raise UserError(
            f"{name} is {text!r}; ${{NAME}} may stand only for a password: in the login of an address, behind a name such "
            "as pwd or token, or, where it is six or more letters, digits and -._~, in the path of an address"
        ) from None
