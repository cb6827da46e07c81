"""How much a pose estimator's joints tremble and err, in torso lengths: the noise that robustness is measured with.

    python -m benchmarks.pose_noise --videos clip.avi --coco people/keypoints.json --json out/benchmarks/pose_noise.json

Tremble: of a joint on a path without jerks, x[t-1] - 2 x[t] + x[t+1] is noise of six times the variance; its median over the
moments in which the person hardly moves is what the estimator adds. Error: distance from hand-annotated joints.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.features import BodyFrame
from pose_attention_ros.core.body.layouts import LAYOUTS, layout, layout_map
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.pose import PoseConfig, PoseEstimator, create_pose_estimator

LAYOUT = layout("common13")
CALM = 0.5  # share of the moments, those of the least motion, that count
_TO_DEVIATION = 1 / 0.6745  # of the median of absolute values of normal noise
_KINDS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def tracks(pose: PoseEstimator, video: Path) -> Iterator[list[tuple[int, np.ndarray, np.ndarray, float]]]:
    """Every person's frames: index, keypoints (V, 2) pixels without smoothing, mask (V,), pixels a torso length."""
    stage = GraphStage(GraphConfig(min_cutoff_hz=100.0, cutoff_slope=100.0))
    people = defaultdict(list)
    camera = open_source(str(video), CameraConfig())
    try:
        index = 0
        while (frame := camera.read()) is not None:
            graphs = stage(pose(frame))
            for track, xy, mask, scale in zip(
                graphs.track_ids.tolist(), graphs.keypoints_px(), graphs.mask, graphs.scales_px.tolist()
            ):
                people[track].append((index, xy, mask, scale))
            index += 1
    finally:
        camera.close()
    yield from people.values()


def tremble(person: list[tuple[int, np.ndarray, np.ndarray, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each three frames in a row: second differences (n, V, 2) and motion (n,) in torso lengths, and the scale (n,) in
    pixels. A joint missing in one of them is NaN."""
    rows = []
    for (i, a, seen_a, scale), (_, b, seen_b, _), (k, c, seen_c, _) in zip(person, person[1:], person[2:]):
        if k - i == 2:
            there = (seen_a & seen_b & seen_c)[:, None]
            moved = np.median(np.linalg.norm(c - a, axis=-1)[there[:, 0]]) if there.any() else np.inf
            rows.append((np.where(there, a - 2 * b + c, np.nan) / scale, moved / scale, scale))
    if not rows:
        return np.zeros((0, len(LAYOUT.joints), 2)), np.zeros(0), np.zeros(0)
    return tuple(np.array(column) for column in zip(*rows))


def of_video(pose: PoseEstimator, video: Path) -> dict:
    """Standard deviation of the tremble of a coordinate by kind of joint, in torso lengths."""
    parts = [tremble(person) for person in tracks(pose, video)]
    second, motion, scale = (np.concatenate(column) for column in zip(*parts))
    calm = motion <= np.quantile(motion, CALM)
    return {
        "video": video.name,
        "moments": int(calm.sum()),
        "torso_px": round(float(np.median(scale[calm])), 1),
        **_by_kind(np.abs(second[calm]).reshape(calm.sum(), len(LAYOUT.joints), 2) * _TO_DEVIATION / 6**0.5),
    }


def _by_kind(values: np.ndarray) -> dict[str, float]:
    """Median of (n, V, 2) over all joints and by kind, NaN left out."""
    columns = {kind: [i for i, joint in enumerate(LAYOUT.joints) if joint.endswith(kind)] for kind in _KINDS}
    return {
        "all": round(float(np.nanmedian(values)), 4),
        **{kind: round(float(np.nanmedian(values[:, rows])), 4) for kind, rows in columns.items()},
    }


def of_photos(pose: PoseEstimator, annotations: Path) -> dict:
    """Deviation of a coordinate from hand-annotated joints (COCO's format), in torso lengths."""
    table = json.loads(annotations.read_text())
    names, errors, torsos = LAYOUTS["coco17"].name, [], []
    to_common = layout_map(names, LAYOUT.name)
    for image in table["images"]:
        found = pose(Frame(cv2.imread(str(annotations.parent / image["file_name"])), 0))
        seen_xy, seen = layout_map(found.layout.name, LAYOUT.name)(found.keypoints_px, found.scores)
        for person in (a for a in table["annotations"] if a["image_id"] == image["id"] and a["num_keypoints"] >= 5):
            points = np.array(person["keypoints"], np.float32).reshape(-1, 3)
            xy, labelled = to_common(points[:, :2], (points[:, 2] > 0).astype(np.float32))
            scale = float(BodyFrame(LAYOUT).scale_px(xy, labelled > 0, np.float32(0)))
            both = (seen >= GraphConfig().min_joint_score) & (labelled > 0)
            distance = np.where(
                both.any(-1), (np.linalg.norm(seen_xy - xy, axis=-1) * both).sum(-1) / np.maximum(both.sum(-1), 1), np.inf
            )
            if len(distance) and distance.min() < scale:
                best = int(distance.argmin())
                errors.append(np.where(both[best][:, None], np.abs(seen_xy[best] - xy) / scale, np.nan))
                torsos.append(scale)
    return {
        "photos": annotations.parent.name,
        "people": len(errors),
        "torso_px": round(float(np.median(torsos)), 1),
        **_by_kind(np.array(errors) * _TO_DEVIATION),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--coco", type=Path, nargs="*", default=[], help="COCO keypoint files, the photos beside them")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    args = parser.parse_args()
    pose = create_pose_estimator(PoseConfig())
    rows = [of_video(pose, path) for path in args.videos] + [of_photos(pose, path) for path in args.coco]
    pose.close()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
