"""Which labels of a data set mean which class, and which clips belong to which split: what recipes and evaluation share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pose_attention_ros.core.errors import UserError

# {class: {data set: [labels]}}
ClassTable = Mapping[str, Mapping[str, list]]
ALL_LABELS = "labels"  # in place of such a table: each label of the data is a class


# What each field of DataRule may be: in words, and as a check.
_GROUPS = ("a list of groups", lambda value: isinstance(value, list))
_WANTED = {
    "val_groups": _GROUPS,
    "test_groups": _GROUPS,
    "val_share": ("a number from 0 to 1", lambda value: isinstance(value, (int, float)) and 0 <= value <= 1),
    "skip_s": ("seconds, 0 or more", lambda value: isinstance(value, (int, float)) and value >= 0),
    "most": ("a whole number, 0 or more", lambda value: isinstance(value, int) and value >= 0),
    "cycles": (
        "a mapping from label to the two labels of its halves",
        lambda value: (
            isinstance(value, dict) and all(isinstance(halves, list) and len(halves) == 2 for halves in value.values())
        ),
    ),
}


@dataclass(frozen=True)
class DataRule:
    """How one data set is divided and cut. Groups named for val or test go there; else the file's own split holds, and of
    the training groups the share `val_share` goes to validation where no group is named for it.

    :param skip_s: seconds left out at the beginning of each clip
    :param most: clips of one label, at most, evenly spread over the file; 0: all
    :param cycles: label of 3D motions -> (label, label): such a clip goes down and up again, and is parted where the hips
        are lowest
    """

    val_groups: tuple[str, ...] = ()
    test_groups: tuple[str, ...] = ()
    val_share: float = 0.12
    skip_s: float = 0.0
    most: int = 0
    cycles: Mapping[str, list] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Any, where: str) -> DataRule:
        """From a recipe's entry `where`. Raises UserError."""
        expect_keys(values, [each.name for each in fields(cls)], where)
        for key, value in values.items():
            wanted, good = _WANTED[key]
            if isinstance(value, bool) or not good(value):
                raise UserError(f"{where}.{key} is {value!r}, expected {wanted}")
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})

    def split_of(self, split: str, group: str, part: int = 0) -> str:
        """train, val or test, from a clip's own split and its group.

        :param part: which `val_share` of the training groups goes to validation; they differ up to 1 / val_share parts
        """
        if group in self.test_groups:
            return "test"
        if group in self.val_groups:
            return "val"
        if split not in ("", "train"):
            return split
        begin = part % max(int(1 / self.val_share), 1) * self.val_share if self.val_share else 0
        kept = not self.val_groups and begin <= _fraction(group) < begin + self.val_share
        return "val" if kept else "train"


def labels_of(recipe: Mapping[str, Any], name: str, labels: Iterable[str] = ()) -> dict[str, str | None]:
    """Label of data set `name` -> class, or None for an action of no class; from a recipe's tables.

    :param labels: those that the data set has, for a recipe that takes them all
    """
    outside = [*recipe.get("other", {}).get(name, ()), *recipe.get("held_out", {}).get(name, ())]
    meaning: dict[str, str | None] = dict.fromkeys(outside)
    if recipe["classes"] == ALL_LABELS:
        return {**{label: label for label in labels}, **meaning}
    for action, table in recipe["classes"].items():
        for label in table.get(name, ()):
            if label in meaning:
                raise UserError(f"label {label!r} of {name} is used twice, for {meaning[label] or 'no class'} and {action}")
            meaning[label] = action
    return meaning


def expect_keys(values: Any, known: list[str], where: str) -> None:
    """Raises UserError unless `values` is a mapping with keys out of `known`."""
    if not isinstance(values, dict):
        raise UserError(f"{where} is {values!r}, expected a mapping")
    odd = sorted(set(values) - set(known))
    if odd:
        raise UserError(f"{where} has unknown keys {', '.join(odd)}; known: {', '.join(known)}")


def _fraction(text: str) -> float:
    """A number in [0, 1) that belongs to `text` for ever."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
