"""`pose-attention evaluate poses`: any pose estimator on photos with labelled people, with the time it takes."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pose_attention_ros.cli.options import add_json, add_settings, read_settings, write_json
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.data.pose_images import Photo, read_names, read_photos
from pose_attention_ros.evaluation.keypoints import LAYOUT, KeypointScore, score_keypoints
from pose_attention_ros.inference.pose import PoseConfig, PoseEstimator, create_pose_estimator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--annotations", type=Path, required=True, metavar="FILE.json", help="people in COCO's keypoint format"
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="the photos")
    parser.add_argument("--only", type=Path, metavar="LIST.txt", help="use only these photos, a file name a line")
    parser.add_argument("--without", type=Path, metavar="LIST.txt", help="leave these photos out")
    parser.add_argument("--model", dest="pose_model", default=argparse.SUPPRESS, metavar="M", help="short for --pose-model")
    add_settings(parser, "estimator", PoseConfig)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    photos = read_photos(
        [args.annotations],
        args.images,
        LAYOUT,
        only=read_names(args.only) if args.only else None,
        without=read_names(args.without) if args.without else (),
    )
    config = read_settings(args, PoseConfig)
    estimator = create_pose_estimator(config)
    with tqdm(total=len(photos), unit="photo", desc=config.estimator, leave=False) as bar:
        found, times_s = find_people(estimator, photos, bar.update)
    backend = estimator.backend
    estimator.close()
    score = score_keypoints(photos, found)
    result = {
        "annotations": str(args.annotations),
        **dataclasses.asdict(config),
        "backend": backend,
        **dataclasses.asdict(score),
        "ms": {key: round(1e3 * value, 2) for key, value in summary(times_s).items()},
    }
    write_json(args.json, result)
    print_score(score, result["ms"], f"{config.estimator} at {config.input_size} px, {backend}, {config.threads} thread(s)")
    return 0


def find_people(
    estimator: PoseEstimator, photos: list[Photo], tick: Callable[[int], object] = lambda photos: None
) -> tuple[list[Skeletons], list[float]]:
    """The people of each photo, and how long each took in seconds: fitting into the input, network and decoding, not reading
    the file, and not what only the first photo of a size pays for."""
    found, times_s, warm = [], [], set()
    for photo in photos:
        frame = Frame(read_image(photo.path), 0)
        if photo.size not in warm:
            warm.add(photo.size)
            estimator.warm_up(photo.size)
        began = time.perf_counter()
        found.append(estimator(frame))
        times_s.append(time.perf_counter() - began)
        tick(1)
    return found, times_s


def summary(times_s: list[float]) -> dict[str, float]:
    """Seconds: median, and the tenth and ninetieth percentile."""
    deciles = statistics.quantiles(times_s, n=10) if len(times_s) > 1 else 9 * times_s
    return {"p10": deciles[0], "median": statistics.median(times_s), "p90": deciles[-1]}


def print_score(score: KeypointScore, ms: dict[str, float], what: str) -> None:
    print(what)
    print(
        f"  AP {score.ap:.3f}  AP50 {score.ap50:.3f}  AP75 {score.ap75:.3f}  AR {score.ar:.3f}  "
        f"({score.people} people in {score.photos} photos, {score.found} found)"
    )
    print(f"  {ms['median']:.1f} ms a photo (p10 {ms['p10']:.1f}, p90 {ms['p90']:.1f})")
