"""Scores and errors of the pose estimator on what people labelled: photos by joint, videos of falls by time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from benchmarks.pose_photos import IMAGES, TEST_LIST
from benchmarks.pose_rows import Records
from benchmarks.pose_shots import KIND_OF, KINDS, LAYOUT, input_torso_px, match, people, same, torso_px
from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.layouts import layout_map
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.inference.pose import PoseEstimator

_LABELS = "annotations_human.json"
_VISIBLE = 2  # COCO's mark of a joint that is labelled and seen; 1: labelled, hidden
_FEWEST = 5  # labelled joints of a person who counts
_APART = 0.2  # torso lengths between a left and a right joint that can be told from each other


def falls(pose: PoseEstimator, video: Path, most: int, rows: Records) -> None:
    """Up to `most` pairs of frames in a row inside the labelled spans of a video (`start_s,end_s,label` in the CSV beside
    it): a row a joint with its score, and whether left and right changed places from one frame to the other."""
    with video.with_suffix(".csv").open(encoding="utf-8") as lines:
        spans = [(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in csv.DictReader(lines)]
    camera = open_source(str(video), CameraConfig())
    frames = []
    try:
        while (frame := camera.read()) is not None:
            frames.append((frame.stamp_ns * 1e-9, frame.image_bgr.copy()))
    finally:
        camera.close()
    for i in np.unique(np.linspace(0, len(frames) - 2, most).round().astype(int)):
        at_s = frames[i][0] - frames[0][0]
        label = next((name for start, end, name in spans if start <= at_s < end), None)
        if label is not None:
            _pair(rows, label, [_surest(*people(pose, image)) for _, image in frames[i : i + 2]])


def _surest(xy: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    best = scores.mean(1).argmax() if len(scores) else None
    return None if best is None else (xy[best], scores[best])


def _pair(rows: Records, label: str, found: list[tuple[np.ndarray, np.ndarray] | None]) -> None:
    """One row a joint of the first frame."""
    if None in found:
        rows.add(label=label, found=False, lying=False, kind=-1, score=np.nan, swapped=False, judged=False)
        return
    (xy, scores), (later_xy, later_scores) = found
    there = GraphConfig().min_joint_score
    unit = torso_px(xy, scores >= there)
    trunk = xy[KIND_OF == KINDS.index("hip")].mean(0) - xy[KIND_OF == KINDS.index("shoulder")].mean(0)
    for v, w in enumerate(LAYOUT.mirror):
        pair = [v, w]
        judged = (
            v < w
            and min(scores[pair].min(), later_scores[pair].min()) >= there
            and min(np.linalg.norm(xy[v] - xy[w]), np.linalg.norm(later_xy[v] - later_xy[w])) > _APART * unit
        )
        stayed = np.linalg.norm(later_xy[pair] - xy[pair], axis=-1).sum()
        changed = np.linalg.norm(later_xy[pair[::-1]] - xy[pair], axis=-1).sum()
        rows.add(
            label=label,
            found=True,
            lying=bool(abs(trunk[1]) < abs(trunk[0])),
            kind=KIND_OF[v],
            score=scores[v],
            swapped=bool(judged and changed < 0.7 * stayed),
            judged=bool(judged),
        )


def photos(pose: PoseEstimator, folder: Path, most: int, rows: Records) -> None:
    """Every labelled joint of the people found in up to `most` photos: score, error in torso lengths, whether it is hidden.
    Photos of the list of test photos, and all of COCO's, whose labels know hidden joints."""
    table = json.loads((folder / _LABELS).read_text(encoding="utf-8"))
    names = set((folder / TEST_LIST).read_text().split())
    images = [image for image in table["images"] if image["file_name"] in names or image["source"] == "coco"]
    to_common = layout_map("coco17", LAYOUT.name)
    for image in [images[i] for i in np.random.default_rng(0).permutation(len(images))[:most]]:
        xy, scores = people(pose, cv2.imread(str(folder / IMAGES / image["file_name"])))
        for person in (a for a in table["annotations"] if a["image_id"] == image["id"]):
            points = np.array(person["keypoints"], np.float32).reshape(-1, 3)
            truth, labelled = to_common(points[:, :2], (points[:, 2] > 0).astype(np.float32))
            visible = to_common(points[:, :2], (points[:, 2] == _VISIBLE).astype(np.float32))[1] > 0
            if (labelled > 0).sum() < _FEWEST:
                continue
            unit = torso_px(truth, labelled > 0)
            row, apart = match(xy, truth, visible if visible.sum() > 3 else labelled > 0, unit)
            if not same(row, apart):
                continue
            at_input = input_torso_px(unit, (image["width"], image["height"]))
            for v in np.flatnonzero(labelled > 0):
                dx, dy = (xy[row, v] - truth[v]) / unit
                rows.add(
                    kind=KIND_OF[v],
                    hidden=not visible[v],
                    tells_hidden=image["source"] == "coco",
                    score=scores[row, v],
                    dx=dx,
                    dy=dy,
                    input_torso_px=at_input,
                )
