"""`pose-attention models`: which model files there are, fetch the ones that are downloaded, verify all by sha256."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.inference import movenet_network, weights
from pose_attention_ros.inference.pose_model import available_pose_networks, is_pose_network, read_pose_spec
from pose_attention_ros.inference.recogniser import available_models, find_model, read_spec

READY, ABSENT, DAMAGED = "ready", "not fetched", "damaged"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    verbs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, help_text in (
        ("list", "show every model, where it lies and its state"),
        ("fetch", "download pose weights into the cache; the one command that uses the network"),
        ("verify", "check files against their sha256; fails unless all are ready"),
    ):
        verb = verbs.add_parser(name, help=help_text, description=help_text)
        if name != "list":
            verb.add_argument("name", nargs="?", metavar="NAME", help="one model (default: all)")
        add_json(verb)


def run(args: argparse.Namespace) -> int:
    """List, fetch or verify; the exit code is 1 where a model that was asked for is not ready."""
    if args.what == "fetch":
        for name in [args.name] if args.name else (name for name, file in weights.WEIGHTS.items() if not file.optional):
            _fetch(name)
    rows = _rows(getattr(args, "name", None))
    if args.what == "fetch" and not args.name:
        rows = [row for row in rows if row["kind"] == "pose"]
    if args.what != "list" and not args.name:
        rows = [row for row in rows if row["state"] != ABSENT or not weights.WEIGHTS[row["name"]].optional]
    _print(rows)
    write_json(args.json, rows)
    return int(args.what != "list" and any(row["state"] != READY for row in rows))


def _fetch(name: str) -> None:
    if name not in weights.WEIGHTS and name in (*available_pose_networks(), *available_models()):
        return  # it came with the package, and is verified like the others
    weights.fetch(name, on_source=print)
    if name == movenet_network.WEIGHTS:
        _prepare()


def _prepare() -> None:
    """Make of MoveNet what its runtimes read; without network, once."""
    movenet_network.cut_tflite()
    try:
        for precision in ("fp32", "fp16"):
            movenet_network.onnx_file(precision)
    except UserError as error:  # a package that only other runtimes want
        print(f"MoveNet is ready for LiteRT alone: {error}")


def _rows(name: str | None) -> list[dict]:
    """What there is to say of one model, or of all. Raises ModelError for an unknown name."""
    names = [*weights.WEIGHTS, *available_pose_networks(), *available_models()] if name is None else [name]
    return [_row(each) for each in names]


def _row(name: str) -> dict:
    if name in weights.WEIGHTS:
        return _fetched_row(name)
    folder = find_model(name)
    return _pose_row(name, folder) if is_pose_network(folder) else _recogniser_row(name, folder)


def _fetched_row(name: str) -> dict:
    entry = weights.weight_file(name)
    how = f"run: pose-attention models fetch{f' {name}' * entry.optional}"
    state, problem = _state(lambda: weights.load(name)) if entry.path.exists() else (ABSENT, how)
    return {
        "name": name,
        "kind": "pose",
        "state": state,
        "problem": problem,
        "summary": entry.summary,
        "bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "path": str(entry.path),
    }


def _pose_row(name: str, folder: Path) -> dict:
    row = {"name": name, "kind": "pose", "summary": "", "bytes": 0, "sha256": "", "path": str(folder)}

    def read() -> None:
        spec = read_pose_spec(str(folder))
        files = [spec.network(precision) for precision in spec.files]
        row.update(
            summary=f"{len(spec.layout.joints)} joints ({spec.layout.name}), {spec.stages} stages, any number of "
            f"people; {', '.join(spec.files)}",
            bytes=sum(len(file.content) for file in files),
            sha256=files[0].sha256,
        )

    row["state"], row["problem"] = _state(read)
    return row


def _recogniser_row(name: str, folder: Path) -> dict:
    row = {"name": name, "kind": "action", "summary": "", "bytes": 0, "sha256": "", "path": str(folder)}

    def read() -> None:
        spec, content = read_spec(folder)
        row.update(summary=f"{len(spec.classes)} classes: {', '.join(spec.classes)}", bytes=len(content), sha256=spec.sha256)

    row["state"], row["problem"] = _state(read)
    return row


def _state(check: Callable[[], object]) -> tuple[str, str]:
    try:
        check()
    except ModelError as error:
        return DAMAGED, str(error)
    return READY, ""


def _print(rows: list[dict]) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        size = f"{row['bytes'] / 1e6:6.2f} MB" if row["bytes"] else " " * 9
        print(f"{row['name']:<{width}}  {row['kind']:<6}  {row['state']:<11}  {size}  {row['path']}")
        print(f"{'':<{width}}  {row['problem'] or row['summary']}")
