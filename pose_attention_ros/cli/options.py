"""Settings dataclasses as command-line options: names, defaults, units and ranges come from the dataclass alone."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

from pose_attention_ros.core.config import Settings, with_secrets
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.inference.recogniser import SPEC_FILE, find_model

SettingsType = TypeVar("SettingsType", bound=Settings)


def add_settings(parser: argparse.ArgumentParser, title: str, kind: type[Settings], leave_out: tuple[str, ...] = ()) -> None:
    """One option a field of `kind`; a field that the parser has already (shared by two stages) is not added again."""
    group = parser.add_argument_group(title)
    known = {action.dest for action in parser._actions}
    for field in dataclasses.fields(kind):
        if field.name in leave_out or field.name in known:
            continue
        unit = f" [{field.metadata['unit']}]" if field.metadata["unit"] else ""
        how: dict[str, Any] = {
            "default": field.default,
            "dest": field.name,
            "help": f"{field.metadata['doc']}{unit} (default: {field.default!r})".replace("%", "%%"),
        }
        if isinstance(field.default, bool):
            how["action"] = argparse.BooleanOptionalAction
        else:
            how |= {"type": type(field.default), "metavar": type(field.default).__name__.upper()}
            if field.metadata["choices"]:
                how |= {"choices": field.metadata["choices"], "metavar": None}
        group.add_argument("--" + field.name.replace("_", "-"), **how)


def read_settings(args: argparse.Namespace, kind: type[SettingsType], **fixed: Any) -> SettingsType:
    """The settings that the options give; `fixed` are those that were left out. Raises UserError out of range."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in fixed]
    return kind(**{name: getattr(args, name) for name in names if hasattr(args, name)}, **fixed)


def chosen(args: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """The settings among the options of which the user changed the default, checked."""
    settings = read_settings(args, kind)
    return {
        field.name: getattr(settings, field.name)
        for field in dataclasses.fields(kind)
        if getattr(settings, field.name) != field.default
    }


def source_text(text: str) -> str:
    """What --source names, with the passwords that stand as ${NAME} in it; argparse tells where there is none."""
    try:
        return with_secrets("it", text, os.environ)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that every verb has."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the machine-readable result to FILE")


def write_json(path: Path | None, result: Any) -> None:
    """Write `result` where --json says, if it says so."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def add_labelled_data(parser: argparse.ArgumentParser, *, several: bool) -> None:
    """Which clips, of one file or several, and what their labels mean to which model."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+" if several else None,
        metavar="FILE.npz",
        help="written by `data import`",
    )
    parser.add_argument("--model", required=True, metavar="M", help="name under models/, or a model directory")
    parser.add_argument("--split", metavar="S", help="only clips of this split, such as test (default: all)")
    parser.add_argument(
        "--official-split",
        type=int,
        metavar="N",
        help="which of the file's official splits divides it (default: the one the model was trained on)",
    )
    parser.add_argument(
        "--label-map",
        type=Path,
        metavar="MAP.yaml",
        help="{label: class, or null for none}; or a training recipe, whose rules for this data hold",
    )


def divided(data: SkeletonDataset, args: argparse.Namespace) -> SkeletonDataset:
    """`data` as --official-split divides it, else as the training of the model did, where the file knows that split."""
    trained = json.loads((find_model(args.model) / SPEC_FILE).read_text()).get("official_split")
    if args.official_split is None and (trained is None or trained > data.official_splits.shape[1]):
        return data
    return data.divided(trained if args.official_split is None else args.official_split)
