"""What a recogniser says of the nearest person on real videos, image by image, and whether it notices falls.

    python -m benchmarks.real_videos --show 'real/exercise/squat*=squat' 'real/exercise/plank*=unknown' \
        --falls real/home --down s1_fall_13=1.62 s2_fall_12=8.5 --model everyday --skeletons out/skeletons

The pose network is run once for each video where --skeletons names a folder to keep its joints in.
"""

from __future__ import annotations

import argparse
import csv
import glob
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import UNKNOWN_LABEL, Skeletons
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser

LYING = ("lie", "fall", "sit", "sit_down", "stand_up", UNKNOWN_LABEL)  # what may be said of somebody who falls or lies
NOTICED_S = 1.0  # a fall must be told within so long after the body is down


@dataclass(frozen=True)
class Said:
    """Of the nearest person in one image: seconds since the first image, the label, and the most probable class."""

    time_s: float
    label: str
    likeliest: str


def skeletons_of(video: str, kept: Path | None) -> list[Skeletons]:
    """The pose network's answer to every image, from `kept` where it is there."""
    path = kept / f"{Path(video).name}.npz" if kept else None
    if path is None or not path.is_file():
        camera, pose = open_source(video, CameraConfig()), create_pose_estimator(PoseConfig())
        try:
            found = [pose(frame) for frame in iter(camera.read, None)]
        finally:
            camera.close()
            pose.close()
        if path is None:
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path,
            layout=pose.layout.name,
            stamps_ns=[each.stamp_ns for each in found],
            people=[len(each.scores) for each in found],
            size=found[0].image_size,
            keypoints=np.concatenate([each.keypoints_px for each in found]),
            scores=np.concatenate([each.scores for each in found]),
            boxes=np.concatenate([each.boxes_xyxy for each in found]),
            box_scores=np.concatenate([each.person_scores for each in found]),
        )
    with np.load(path, allow_pickle=False) as file:
        ends = np.cumsum(file["people"])[:-1]
        rows = zip(
            file["stamps_ns"].tolist(),
            *(np.split(file[name], ends) for name in ("keypoints", "scores", "boxes", "box_scores")),
        )
        return [
            Skeletons(stamp, "camera", layout(str(file["layout"])), tuple(file["size"].tolist()), *arrays)
            for stamp, *arrays in rows
        ]


def said_of_nearest(skeletons: list[Skeletons], model: str, config: ActionConfig) -> list[Said]:
    """Through the graph and action stages; the nearest person is the one with the largest box."""
    recogniser = load_recogniser(model)
    graph, action = GraphStage(GraphConfig(layout=recogniser.spec.layout.name)), ActionStage(recogniser, config)
    found = []
    for each in skeletons:
        graphs = graph(each)
        people = action(graphs).people
        if people:
            x0, y0, x1, y1 = graphs.boxes_xyxy.T
            nearest = people[int(((x1 - x0) * (y1 - y0)).argmax())]
            found.append(
                Said(
                    (each.stamp_ns - skeletons[0].stamp_ns) * 1e-9,
                    nearest.label,
                    recogniser.spec.classes[int(np.argmax(nearest.scores))],
                )
            )
    return found


def shares(said: list[Said]) -> dict[str, float]:
    """Label -> share of the images, the most frequent first."""
    return {label: count / len(said) for label, count in Counter(each.label for each in said).most_common()}


def of_group(videos: dict[str, list[Said]], right: str) -> dict[str, object]:
    """Shares of all images and of the videos whose most frequent class, and most frequent label, is the right one."""
    together = [each for said in videos.values() for each in said]
    named = {
        name: {label: share for label, share in shares(said).items() if label != UNKNOWN_LABEL}
        for name, said in videos.items()
    }
    return {
        "videos": len(videos),
        "images_right": np.mean([each.label == right for each in together]),
        "images_wrong": np.mean([each.label not in (right, UNKNOWN_LABEL) for each in together]),
        "images_likeliest_right": np.mean([each.likeliest == right for each in together]),
        "videos_class_right": np.mean([next(iter(classes), UNKNOWN_LABEL) == right for classes in named.values()]),
        "videos_label_right": np.mean([next(iter(shares(said)), UNKNOWN_LABEL) == right for said in videos.values()]),
        "each": {name: shares(said) for name, said in videos.items()},
    }


def of_fall(said: list[Said], begin_s: float, end_s: float, down_s: float) -> dict[str, object]:
    """One fall: when it is told and `lie` follows, seconds after the body is down, and what else is said until the end."""
    during = [each for each in said if begin_s <= each.time_s <= end_s]
    first = {
        label: next((round(each.time_s - down_s, 2) for each in during if each.label == label), None)
        for label in ("fall", "lie")
    }
    return {
        **first,
        "noticed": first["fall"] is not None and first["fall"] <= NOTICED_S,
        "images": len(during),
        "images_named_otherwise": sum(each.label not in LYING for each in during),
    }


def main() -> None:
    """Print each group and each fall; --json writes all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--show", nargs="*", default=[], metavar="GLOB=LABEL", help="videos of one action; unknown: of none")
    parser.add_argument("--falls", type=Path, metavar="FOLDER", help="videos with NAME.csv beside each: start_s,end_s,label")
    parser.add_argument("--down", nargs="*", default=[], metavar="NAME=SECONDS", help="when the body is down")
    parser.add_argument("--model", default="everyday")
    parser.add_argument("--threshold", type=float, default=0.0, help="0: the model's own")
    parser.add_argument("--skeletons", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = ActionConfig(threshold=options.threshold)
    result: dict[str, dict] = {"groups": {}, "falls": {}}
    for group in options.show:
        pattern, _, right = group.rpartition("=")
        paths = sorted(glob.glob(pattern))
        if not paths:
            raise UserError(f"no video fits {pattern!r}; expected GLOB=LABEL, such as 'squat*.mp4=squat'")
        row = of_group(
            {
                Path(path).name: said_of_nearest(skeletons_of(path, options.skeletons), options.model, config)
                for path in paths
            },
            right,
        )
        result["groups"][group] = row
        print(
            f"{group}: {row['videos']} videos, images right {row['images_right']:.2f}, wrong {row['images_wrong']:.2f}; "
            f"likeliest right {row['images_likeliest_right']:.2f}; videos whose most frequent class is right "
            f"{row['videos_class_right']:.2f}, whose most frequent label {row['videos_label_right']:.2f}",
            flush=True,
        )
    down_s = {name: float(seconds) for name, _, seconds in (each.partition("=") for each in options.down)}
    for path in sorted(options.falls.glob("*.mp4")) if options.falls else []:
        said = said_of_nearest(skeletons_of(str(path), options.skeletons), options.model, config)
        for row in csv.DictReader(path.with_suffix(".csv").open(encoding="utf-8")):
            begin_s, end_s = float(row["start_s"]), float(row["end_s"])
            if row["label"] == "fall":
                result["falls"][path.stem] = of_fall(said, begin_s, end_s, down_s.get(path.stem, begin_s))
                print(f"{path.stem}: {result['falls'][path.stem]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, default=float) + "\n")


if __name__ == "__main__":
    main()
