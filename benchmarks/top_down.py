"""What MoveNet Thunder on crops brings and costs beside MultiPose: AP on photos, processor time on a video.

    python -m benchmarks.top_down --video two_people.mp4 --photos DIR --most-photos 60

The estimators see each frame in turn, so that a busy machine disturbs all alike. On photos a first look crops around
MultiPose's people, a second one around the joints of the first, as in a video. DIR as in benchmarks/pose_photos.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pose_photos import labelled_photos
from benchmarks.small_people import on_video
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.core.types import Frame
from pose_attention_ros.data.pose_images import Photo
from pose_attention_ros.evaluation.keypoints import score_keypoints
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.topdown import thunder

THUNDER = thunder.WEIGHTS  # the estimator is called like its weights
LEAST_PERSON = 0.03  # on photos: people of whom an estimator is less sure are left out
STEP_NS, APART_NS = 100_000_000, 60_000_000_000  # between two looks at a photo, between two photos
LOOKS = ("first look", "second look")


def configs(input_size: int, least_person: float) -> dict[str, PoseConfig]:
    """MultiPose, Thunder, and its int8 form where it has been exported."""
    config = PoseConfig(input_size=input_size, min_person_score=least_person)
    found = {name: dataclasses.replace(config, estimator=name) for name in ("movenet", THUNDER)}
    if thunder.has_int8():
        found[f"{THUNDER} in int8"] = dataclasses.replace(found[THUNDER], precision="int8")
    return found


def on_photos(photos: Sequence[Photo], input_size: int) -> dict[str, dict[str, float]]:
    """AP and AP50 of each estimator at each look."""
    result: dict[str, dict[str, float]] = {}
    for name, config in configs(input_size, LEAST_PERSON).items():
        estimator = create_pose_estimator(config)
        looks: tuple[list, ...] = tuple([] for _ in LOOKS[: 1 + (config.estimator == THUNDER)])
        for number, photo in enumerate(photos):
            image = read_image(photo.path)
            for turn, found in enumerate(looks):
                found.append(estimator(Frame(image, number * APART_NS + turn * STEP_NS)))
        estimator.close()
        for look, found in zip(LOOKS, looks):
            score = score_keypoints(photos, found)
            result[f"{name}, {look}"] = {"photos": score.photos, "ap": score.ap, "ap50": score.ap50}
    return result


def table(result: dict) -> str:
    """As Markdown."""
    lines: list[str] = []
    if "photos" in result:
        lines += ["| estimator | AP | AP50 |", "|---|---|---|"]
        lines += [f"| {name} | {row['ap']:.3f} | {row['ap50']:.3f} |" for name, row in result["photos"].items()]
    times = result.get("video", {})
    if times:
        first = next(iter(times.values()))["ms"]
        lines += ["", "| estimator, on the video | people a frame | processor ms a frame | |", "|---|---|---|---|"]
        for name, row in times.items():
            lines.append(f"| {name} | {row['people']:.2f} | {row['ms']:.1f} | x {row['ms'] / first:.2f} |")
    return "\n".join(lines)


def measure(video: str, most_frames: int, photos: Path | None, most_photos: int, input_size: int) -> dict:
    """Both parts, as far as there is a video and a folder of photos."""
    result: dict = {}
    if photos is not None:
        result["photos"] = on_photos(labelled_photos(photos, "test", most_photos), input_size)
    if video:
        result["video"] = on_video(video, configs(input_size, PoseConfig().min_person_score), most_frames)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", default="", help="with two people, say; without it no time")
    parser.add_argument("--most-frames", type=int, default=100)
    parser.add_argument("--photos", type=Path, help="labelled photos; without it no AP")
    parser.add_argument("--most-photos", type=int, default=0)
    parser.add_argument("--input-size", type=int, default=PoseConfig().input_size, help="of MultiPose")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    args = parser.parse_args()
    result = measure(args.video, args.most_frames, args.photos, args.most_photos, args.input_size)
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
