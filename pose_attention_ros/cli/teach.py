"""`pose-attention teach`: actions taught by showing them to the camera, in a video or in a bag; seconds, no training."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.cli.options import add_json, add_settings, read_settings, source_text, write_json
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.core.teaching.actions import checked_name
from pose_attention_ros.core.teaching.lesson import LONGEST_LESSON_S, Lesson, TakeConfig
from pose_attention_ros.core.types import SkeletonGraphs
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, find_model, load_recogniser
from pose_attention_ros.inference.teaching import TAUGHT_DOC, Teaching, write_taught

_SPAN = re.compile(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    add = what.add_parser("add", help="teach an action; one of this name is replaced")
    add.add_argument("name")
    add.add_argument(
        "--source",
        type=source_text,
        required=True,
        help="camera, video or bag in which a person shows the action several times, standing still in between",
    )
    add.add_argument("--person", type=int, metavar="ID", help="track id of the person (default: the largest one)")
    add.add_argument(
        "--takes",
        nargs="+",
        default=[],
        metavar="FROM-TO",
        help="seconds from the source's first image at "
        "which the action is shown, such as 2.5-4 (default: wherever the person moves)",
    )
    add.add_argument(
        "--for-s", type=float, default=LONGEST_LESSON_S, help="stop watching after this time (default: %(default)s)"
    )
    add_settings(add, "source", CameraConfig)
    add_settings(add, "pose", PoseConfig)
    add_settings(add, "takes", TakeConfig)
    rename, remove = (
        what.add_parser(name, help=help_)
        for name, help_ in (("rename", "give a taught action another name"), ("remove", "forget a taught action"))
    )
    rename.add_argument("name")
    rename.add_argument("new_name")
    remove.add_argument("name")
    export = what.add_parser("export", help="write what was taught to a file, for another robot with this model")
    export.add_argument("file", type=Path)
    for each in (add, rename, remove, export, what.add_parser("list", help="what was taught")):
        each.add_argument("--model", default=DEFAULT_MODEL, help="name under models/ or path (default: %(default)s)")
        each.add_argument("--taught", default="", metavar="FILE", help=TAUGHT_DOC)
        add_json(each)


def run(args: argparse.Namespace) -> int:
    """Teach, or look after what was taught."""
    recogniser = load_recogniser(args.model)
    teaching = Teaching(recogniser, find_model(args.model), args.taught)
    teaching.require()
    if args.what == "add":
        _add(args, recogniser, teaching)
    elif args.what == "rename":
        teaching.rename(args.name, args.new_name)
    elif args.what == "remove":
        teaching.remove(args.name)
    elif args.what == "export":
        write_taught(args.file, teaching.taught, teaching.spec)
    table = [
        {"name": action.name, "takes": len(action.takes), "window_s": action.window_s, "limit": round(action.limit, 3)}
        for action in teaching.taught.actions
    ]
    for row in table:
        print(
            f"{row['name']:20} {row['takes']} takes, looked for in {row['window_s']:g} s, from a likeness of "
            f"{row['limit']:.2f} on"
        )
    print(f"{len(table)} taught to {teaching.spec.model_id}, in {args.file if args.what == 'export' else teaching.path}")
    write_json(args.json, {"actions": table})
    return 0


def _add(args: argparse.Namespace, recogniser, teaching: Teaching) -> None:
    checked_name(args.name, teaching.spec.classes)
    spans_s = [_span(text) for text in args.takes]
    camera = open_source(args.source, read_settings(args, CameraConfig))
    try:
        pose = create_pose_estimator(read_settings(args, PoseConfig))
        stage = ActionStage(recogniser)
        pipeline = Pipeline(pose, GraphStage(GraphConfig(layout=teaching.spec.layout.name)), stage)
        lesson = _watch(camera, pipeline, stage, args, spans_s)
    finally:
        camera.close()
    action = lesson.learnt(teaching.taught.space)
    for number, take in enumerate(lesson.takes(), 1):
        print(f"take {number}: {take.length_s:.1f} s")
    teaching.add(action)


def _watch(
    camera, pipeline: Pipeline, stage: ActionStage, args: argparse.Namespace, spans_s: list[tuple[float, float]]
) -> Lesson:
    """Show the source to the pipeline; returns what was seen of the person."""
    from tqdm import tqdm

    first_ns = None
    with tqdm(total=camera.frame_count, unit="frame", disable=None, leave=False, desc="watching") as progress:
        while (frame := camera.read()) is not None:
            first_ns = frame.stamp_ns if first_ns is None else first_ns
            if (frame.stamp_ns - first_ns) * 1e-9 > args.for_s:
                break
            graphs = pipeline(frame).graphs
            if stage.lesson is None and len(graphs):
                person = _person(graphs, args.person)
                if person is not None:
                    spans_ns = [(first_ns + round(begin * 1e9), first_ns + round(end * 1e9)) for begin, end in spans_s]
                    stage.lesson = Lesson(args.name, person, stage.spec.rate_hz, read_settings(args, TakeConfig), spans_ns)
            progress.update()
    if stage.lesson is None:
        raise UserError(
            f"{args.source}: nobody was seen"
            if args.person is None
            else f"--person is {args.person}, who was not seen; `pose-attention run` shows the ids"
        )
    return stage.lesson


def _person(graphs: SkeletonGraphs, wanted: int | None) -> int | None:
    """The track to watch: the one asked for once it is there, else the tallest."""
    if wanted is not None:
        return wanted if wanted in graphs.track_ids else None
    heights = graphs.boxes_xyxy[:, 3] - graphs.boxes_xyxy[:, 1]
    return int(graphs.track_ids[heights.argmax()])


def _span(text: str) -> tuple[float, float]:
    match = _SPAN.fullmatch(text)
    if not match or float(match[1]) >= float(match[2]):
        raise UserError(f"--takes has {text!r}, expected seconds FROM-TO such as 2.5-4")
    return float(match[1]), float(match[2])
