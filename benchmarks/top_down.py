"""What MoveNet Thunder on crops brings and costs beside MultiPose: AP on photos, processor time on a video.

    python -m benchmarks.top_down --video two_people.mp4 --photos DIR --most-photos 60

The estimators see each frame in turn, so that a busy machine disturbs all alike. On photos a first look crops around
MultiPose's people, a second one around the joints of the first, as in a video. DIR as in benchmarks/pose_photos.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pose_photos import labelled_photos
from benchmarks.small_people import on_video
from benchmarks.video_and_photos import run
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


if __name__ == "__main__":
    run(__doc__, measure, table, most_frames=100, no_video="no time")
