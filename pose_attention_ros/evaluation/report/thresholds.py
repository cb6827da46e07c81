"""What a recording must reach: limits from a YAML file, checked against the values of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_attention_ros.core.errors import UserError, reading

_LIMITS = ("min", "max")


@dataclass(frozen=True)
class Check:
    """One limit and what was found; `found` is None where it could not be measured, which fails."""

    name: str
    limit: str
    bound: float
    found: float | None

    @property
    def passed(self) -> bool:
        if self.found is None:
            return False
        return self.found >= self.bound if self.limit == "min" else self.found <= self.bound

    def __str__(self) -> str:
        found = "it could not be measured" if self.found is None else f"it is {self.found:g}"
        return f"{self.name}: {'at least' if self.limit == 'min' else 'at most'} {self.bound:g} wanted, {found}"


def read_thresholds(path: Path) -> dict[str, Any]:
    """A YAML mapping of the shape of the JSON result, with {min: x, max: y} in place of a number. Raises UserError."""
    import yaml

    with reading(path, "a file of thresholds in YAML"):
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, dict) or not raw:
        raise UserError(f"thresholds {path} hold no mapping; expected for example metrics: {{frame_accuracy: {{min: 0.8}}}}")
    for name, limits in _limits(raw, ""):  # mistakes are told before an hour of work, not after it
        for limit, bound in limits.items():
            if limit not in _LIMITS or not isinstance(bound, (int, float)) or isinstance(bound, bool):
                raise UserError(f"thresholds {path}: {name} has {limit}: {bound!r}, expected min or max and a number")
    return raw


def check(thresholds: Mapping[str, Any], values: Mapping[str, Any]) -> list[Check]:
    """All limits, in the order of the file. Raises UserError for a name that the result does not have."""
    checks = []
    for name, limits in _limits(thresholds, ""):
        found = _find(values, name)
        number = float(found) if found is not None and math.isfinite(found) else None
        checks += [Check(name, limit, float(bound), number) for limit, bound in limits.items()]
    return checks


def _limits(node: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in node.items():
        name = f"{where}/{key}" if where else str(key)
        if not isinstance(value, dict) or not value:
            raise UserError(f"thresholds: {name} is {value!r}, expected a mapping that ends in {{min: x}} or {{max: x}}")
        if set(value) & set(_LIMITS):
            yield name, value
        else:
            yield from _limits(value, name)


def _find(values: Mapping[str, Any], name: str) -> float | None:
    """The number under a path like metrics/segmental_f1/0.50."""
    node: Any = values
    for part in name.split("/"):
        if node is None:
            return None
        if not isinstance(node, Mapping) or part not in node:
            if name.startswith("left_out/"):
                return 0.0
            if name.startswith("metrics/") and "frame_accuracy" not in values.get("metrics", {}):
                return None  # without labels
            known = ", ".join(map(str, node)) if isinstance(node, Mapping) else "no parts"
            raise UserError(f"thresholds: the result has no {name}; at {part!r} it has {known}")
        node = node[part]
    if node is not None and (isinstance(node, bool) or not isinstance(node, (int, float))):
        raise UserError(f"thresholds: {name} is {type(node).__name__}, expected the name of a number")
    return node
