"""What a pose estimator finds, drawn without the photos: a fair sample from best to worst, beside what people labelled.

    python -m benchmarks.pose_pictures --annotations LABELS.json --images DIR --only LIST.txt --picture poses.png
    python -m benchmarks.pose_pictures --video FILE.mp4 --picture video.png

The photos are sorted by the similarity (OKS) of what was found to the label, and evenly picked: the first cell is the best,
the last the worst. Thin dark lines are the label, coloured ones what was found.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pose_attention_ros.cli.evaluate_poses import find_people
from pose_attention_ros.cli.options import add_settings, read_settings
from pose_attention_ros.core.body.layouts import layout_map
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.data.pose_images import Photo, read_names, read_photos
from pose_attention_ros.evaluation.keypoints import LAYOUT
from pose_attention_ros.inference.detections import coco_sigmas, oks
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.visualization.palette import track_colour
from pose_attention_ros.visualization.skeleton import draw_limbs

_CELL = 240
_PAPER, _TRUTH = (246, 246, 246), (110, 110, 110)


def similarity(photo: Photo, people: Skeletons) -> float:
    """Mean over the labelled people of the best OKS that somebody found has."""
    if not len(people):
        return 0.0
    keypoints = layout_map(people.layout.name, LAYOUT.name)(people.keypoints_px, people.scores)[0]
    every = oks(
        keypoints[None],
        photo.keypoints_px[:, None],
        photo.labelled[:, None],
        photo.areas_px2[:, None],
        coco_sigmas(LAYOUT.joints),
    )
    return float(every.max(1).mean())


def cell(size: tuple[int, int], people: Skeletons, photo: Photo | None, title: str) -> np.ndarray:
    """(_CELL, _CELL, 3) uint8: skeletons on paper, as large as they fit."""
    import cv2

    scale = _CELL / max(size)
    paper = np.full((_CELL, _CELL, 3), 255, np.uint8)
    paper[: int(size[1] * scale), : int(size[0] * scale)] = _PAPER
    for number, (keypoints, scores) in enumerate(zip(people.keypoints_px, people.scores)):
        draw_limbs(paper, keypoints * scale, scores > 0, people.layout.limb_indices, track_colour(number), 3)
    for keypoints, labelled in zip(photo.keypoints_px, photo.labelled) if photo else ():
        for a, b in LAYOUT.limb_indices:
            if labelled[a] and labelled[b]:
                ends = [tuple(map(int, keypoints[row] * scale)) for row in (a, b)]
                cv2.line(paper, *ends, _TRUTH, 1, cv2.LINE_AA)
    cv2.putText(paper, title, (6, _CELL - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
    return paper


def of_photos(args: argparse.Namespace, config: PoseConfig) -> list[np.ndarray]:
    photos = read_photos([args.annotations], args.images, LAYOUT, only=read_names(args.only) if args.only else None)
    found, _ = find_people(create_pose_estimator(config), photos)
    ranked = sorted(((similarity(photo, people), i) for i, (photo, people) in enumerate(zip(photos, found))), reverse=True)
    picked = [ranked[round(k * (len(ranked) - 1) / max(1, args.cells - 1))] for k in range(args.cells)]
    return [cell(photos[i].size, found[i], photos[i], f"OKS {value:.2f}") for value, i in picked]


def of_video(args: argparse.Namespace, config: PoseConfig) -> list[np.ndarray]:
    import cv2

    video, estimator = cv2.VideoCapture(str(args.video)), create_pose_estimator(config)
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if count < 1:
        raise UserError(f"{args.video} is no video that can be read")
    cells = []
    for number in np.linspace(0, count - 1, args.cells + 2).astype(int)[1:-1]:
        video.set(cv2.CAP_PROP_POS_FRAMES, int(number))
        there, image = video.read()
        if there:
            cells.append(cell(image.shape[1::-1], estimator(Frame(image, 0)), None, f"frame {number}"))
    return cells


def main() -> None:
    import cv2

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--only", type=Path)
    parser.add_argument("--video", type=Path, help="frames evenly picked from a video, in place of photos")
    parser.add_argument("--cells", type=int, default=15)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--picture", type=Path, required=True)
    add_settings(parser, "estimator", PoseConfig)
    args = parser.parse_args()
    config = read_settings(args, PoseConfig)
    cells = of_video(args, config) if args.video else of_photos(args, config)
    cells += [np.full((_CELL, _CELL, 3), 255, np.uint8)] * (-len(cells) % args.columns)
    rows = [np.hstack(cells[i : i + args.columns]) for i in range(0, len(cells), args.columns)]
    args.picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.picture), np.vstack(rows))


if __name__ == "__main__":
    main()
