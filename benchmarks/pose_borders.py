"""What the pose estimator says of joints outside the image, near its border, behind things, of small and of lying people.

    python -m benchmarks.pose_borders --videos squat.mp4 walk.mp4 --photos DIR --labelled 300 --falls home/*.mp4
        --json out/benchmarks/pose_borders.json

The truth is the estimate of the whole person, made large. The same frame is then cut, covered or made small, as a nearer
camera, a table or distance would, estimated again and compared joint by joint, in torso lengths. DIR is a folder as
`pose_photos` has it; videos of falls have NAME.csv (`start_s,end_s,label`) beside them. `--raw` keeps every joint's row;
`--join` makes the tables of several such files, so that the work can be done in parts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks import pose_labelled
from benchmarks.pose_borders_tables import readable, tables
from benchmarks.pose_photos import IMAGES
from benchmarks.pose_rows import NAMES, Records, joined, write_raw
from benchmarks.pose_shots import (
    KIND_OF,
    LAYOUT,
    RUN,
    SMALL,
    Shot,
    beyond,
    hidden_behind,
    input_torso_px,
    match,
    outwards,
    people,
    same,
    shot_of,
    stands,
    video_moments,
    views,
    window,
)
from pose_attention_ros.data.pose_images import read_photos
from pose_attention_ros.inference.pose import PoseConfig, PoseEstimator, create_pose_estimator

PARTS = ("cut", "cover", "shrink")
HIDDEN = (0.3, 0.45, 0.6)  # shares of the body's height, from below, that are covered
_VIEWS_OF_VIDEO = 7  # of a moment's views, at random: its frames are estimated RUN times
_ZOOM = (1.0, 1.5)  # how much more than the visible part of the body a view shows
_ENLARGED = 1.3  # a person is not made larger than this to be "small"


def cut_shot(pose: PoseEstimator, shot: Shot, number: int, rng: np.random.Generator, into: dict[str, Records]) -> None:
    """Views of a shot: a row a view and frame in `seen`, a joint and frame in `cut`, a joint of RUN frames in `tremble`."""
    every = views(shot, rng)
    names = rng.permutation(list(every)).tolist()[: _VIEWS_OF_VIDEO if len(shot.images) == RUN else None]
    for name in names:
        part = window(shot, every[name], rng.uniform(*_ZOOM))
        if part is None:
            continue
        left, top, right, bottom = part
        edges = dict(zip(("left", "top", "right", "bottom"), part))
        cuts = {side: edges[side] for side in every[name]}
        found = []
        for t, image in enumerate(shot.images):
            xy, scores = people(pose, image[top:bottom, left:right])
            xy, truth = xy + (left, top), shot.truth_px[t]
            inside = ((truth >= (left, top)) & (truth < (right, bottom))).all(-1)
            row, apart = match(xy, truth, inside & shot.sure, shot.torso_px)
            into["seen"].add(
                view=name,
                source=shot.source,
                shot=number,
                found=row >= 0,
                right=same(row, apart),
                more=_unknown(np.delete(xy, row, 0) if row >= 0 else xy, shot),
                share_out=float(1 - inside.mean()),
                input_torso_px=input_torso_px(shot.torso_px, (right - left, bottom - top)),
            )
            if same(row, apart):
                found.append((xy[row], scores[row]))
                _joints(into["cut"], name, number, t, shot, cuts, inside, xy[row], scores[row])
        if len(found) == RUN:
            _trembles(into["tremble"], number, shot, cuts, *map(np.array, zip(*found)))


def _unknown(xy: np.ndarray, shot: Shot) -> int:
    """How many of the people found beside the true one are nobody that the whole image shows."""
    apart = np.linalg.norm(xy.mean(1)[:, None] - shot.others_px, axis=-1).min(1, initial=np.inf)
    return int((apart > 1.5 * shot.torso_px).sum())


def _joints(
    rows: Records,
    name: str,
    number: int,
    t: int,
    shot: Shot,
    cuts: dict[str, float],
    inside: np.ndarray,
    xy: np.ndarray,
    scores: np.ndarray,
) -> None:
    """One row a joint: its nearest cut, how far outside it is, where the guess lies from the cut and along it."""
    unit, truth = shot.torso_px, shot.truth_px[t]
    distances, inner = beyond(truth, cuts), beyond(xy, cuts)
    middle = truth[inside].mean(0) if inside.any() else np.full(2, np.nan)
    for v in np.flatnonzero(shot.sure):
        side = max(distances, key=lambda side: distances[side][v], default="")
        out = outwards(side) if side else np.array([0.0, 1.0])
        along, error = np.abs(out[::-1]), (xy[v] - truth[v]) / unit
        rows.add(
            view=name,
            shot=number,
            frame=t,
            kind=KIND_OF[v],
            side=side,
            inside=bool(inside[v]),
            score=scores[v],
            full_score=shot.truth_scores[t, v],
            share_out=float(1 - inside.mean()),
            outside=distances[side][v] / unit if side else np.nan,
            inset=-inner[side][v] / unit if side else np.nan,
            normal=float(error @ out),
            along=float(error @ along),
            to_centre=float((middle - truth[v]) @ along / unit),
            error=float(np.linalg.norm(error)),
            onto=int(np.linalg.norm(truth - xy[v], axis=-1).argmin()),
        )


def _trembles(rows: Records, number: int, shot: Shot, cuts: dict[str, float], xy: np.ndarray, scores: np.ndarray) -> None:
    """One row a joint: second differences of the guess and of the truth."""
    guess, truth = ((path[0] - 2 * path[1] + path[2]) / shot.torso_px for path in (xy, shot.truth_px))
    distances = beyond(shot.truth_px[1], cuts)
    moved = np.linalg.norm(shot.truth_px[2] - shot.truth_px[0], axis=-1).mean() / shot.torso_px
    for v in np.flatnonzero(shot.sure):
        farthest = max((distance[v] for distance in distances.values()), default=np.nan)
        rows.add(
            shot=number,
            kind=KIND_OF[v],
            outside=farthest / shot.torso_px,
            x=guess[v, 0],
            y=guess[v, 1],
            own_x=truth[v, 0],
            own_y=truth[v, 1],
            moved=moved,
            score=scores[1, v],
            step=scores[2, v] - scores[1, v],
        )


def cover_shot(pose: PoseEstimator, shot: Shot, number: int, rng: np.random.Generator, rows: Records) -> None:
    """The lower part of the body behind a table: one row a joint and frame."""
    low, high = shot.truth_px.min((0, 1)), shot.truth_px.max((0, 1))
    height, width = shot.images[0].shape[:2]
    for share in HIDDEN:
        textured, half = bool(rng.integers(2)), shot.torso_px * rng.uniform(0.4, 1.5)
        edge = high[1] - share * (high[1] - low[1])
        box = (max(0, int(low[0] - half)), int(edge), min(width, int(high[0] + half)), min(height, int(high[1] + half)))
        left, top, right, bottom = window(shot, {}, rng.uniform(*_ZOOM)) or (0, 0, width, height)
        for t, image in enumerate(shot.images):
            xy, scores = people(pose, hidden_behind(image, box, textured, number)[top:bottom, left:right])
            xy, truth = xy + (left, top), shot.truth_px[t]
            hidden = truth[:, 1] > edge
            row, apart = match(xy, truth, ~hidden & shot.sure, shot.torso_px)
            error = (xy[row] - truth) / shot.torso_px if row >= 0 else np.full(truth.shape, np.nan)
            for v in np.flatnonzero(shot.sure):
                rows.add(
                    share=share,
                    textured=textured,
                    shot=number,
                    kind=KIND_OF[v],
                    hidden=bool(hidden[v]),
                    depth=float(truth[v, 1] - edge) / shot.torso_px,
                    right=same(row, apart),
                    score=scores[row, v] if row >= 0 else np.nan,
                    full_score=shot.truth_scores[t, v],
                    dx=error[v, 0],
                    dy=error[v, 1],
                    above=float(edge - truth[v, 1]) / shot.torso_px - error[v, 1],
                )


def shrink_shot(pose: PoseEstimator, shot: Shot, number: int, rows: Records) -> None:
    """The person so small that a torso length has SMALL pixels at the network's input: one row a joint of three frames."""
    for size in SMALL:
        factor, canvas = size / shot.torso_px, (320, 256) if size < SMALL[-1] else (320, 320)
        if factor > _ENLARGED:
            continue
        shift = np.round(np.array(canvas) / 2 - shot.truth_px[shot.middle].mean(0) * factor)
        errors, found_scores = np.full(shot.truth_px.shape, np.nan), np.full(shot.truth_scores.shape, np.nan)
        for t, image in enumerate(shot.images):
            small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            xy, scores = people(
                pose, cv2.warpAffine(small, np.column_stack([np.eye(2), shift]), canvas, borderMode=cv2.BORDER_REPLICATE)
            )
            truth = shot.truth_px[t] * factor + shift
            row, apart = match(xy, truth, shot.sure, size)
            if same(row, apart):
                errors[t], found_scores[t] = (xy[row] - truth) / size, scores[row]
        slow, fast = errors.mean(0), errors[0] - 2 * errors[1] + errors[2]
        for v in np.flatnonzero(shot.sure):
            rows.add(
                size=size,
                shot=number,
                kind=KIND_OF[v],
                found=bool(np.isfinite(slow[v]).all()),
                x=slow[v, 0],
                y=slow[v, 1],
                fast_x=fast[v, 0],
                fast_y=fast[v, 1],
                score=found_scores[:, v].mean(),
                full_score=shot.truth_scores[1, v],
            )


def shots_of(
    pose: PoseEstimator, videos: Sequence[Path], moments: int, folder: Path | None, most_photos: int, seed: int
) -> Iterator[Shot]:
    """Moments of the videos, then photos that the labels call one whole upright person, where the estimator finds it too."""
    for path in videos:
        for images in video_moments(path, moments):
            if (shot := shot_of(pose, path.stem, images)) is not None:
                yield shot
    if folder is None or not most_photos:
        return
    photos = [
        photo
        for photo in read_photos([folder / "annotations.json"], folder / IMAGES, LAYOUT, max_people=1)
        if photo.labelled.all() and not len(photo.ignore_xyxy) and stands(photo.keypoints_px[0])
    ]
    for i in np.random.default_rng(seed).permutation(len(photos))[:most_photos]:
        shot = shot_of(pose, photos[i].path.stem, [cv2.imread(str(photos[i].path))])
        if shot is not None and shot.upright:
            yield shot


def measure(pose: PoseEstimator, args: argparse.Namespace) -> dict[str, dict[str, np.ndarray]]:
    """Every part's rows; kept in `args.raw` after every shot, so that work cut short is not lost."""
    rng = np.random.default_rng(args.seed)
    into = {name: Records() for name in NAMES}

    def kept() -> dict[str, dict[str, np.ndarray]]:
        rows = {name: records.arrays() for name, records in into.items()}
        if args.raw:
            write_raw(args.raw, rows)
        return rows

    for number, shot in enumerate(shots_of(pose, args.videos, args.moments, args.photos, args.most_photos, args.seed)):
        if "cut" in args.parts:
            cut_shot(pose, shot, number, rng, into)
        if "cover" in args.parts and shot.upright:
            cover_shot(pose, shot, number, rng, into["cover"])
        if "shrink" in args.parts and len(shot.images) == RUN:
            shrink_shot(pose, shot, number, into["shrink"])
        print(f"{number} {shot.source}: torso {shot.torso_px:.0f} px", flush=True)
        kept()
    for path in args.falls:
        pose_labelled.falls(pose, path, args.pairs, into["lying"])
        kept()
    if args.labelled:
        pose_labelled.photos(pose, args.photos, args.labelled, into["labelled"])
    return kept()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--moments", type=int, default=6, help="of each video")
    parser.add_argument("--photos", type=Path, metavar="DIR")
    parser.add_argument("--most-photos", type=int, default=60, help="photos of one person to cut and cover")
    parser.add_argument("--labelled", type=int, default=0, help="photos labelled by people to score")
    parser.add_argument("--falls", type=Path, nargs="*", default=[], help="videos with labels in NAME.csv beside them")
    parser.add_argument("--pairs", type=int, default=25, help="pairs of frames of each of these")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--raw", type=Path, help="write every joint's row there (.npz)")
    parser.add_argument("--join", type=Path, nargs="*", default=[], help="take the rows from such files instead")
    parser.add_argument("--json", type=Path, help="write the tables there")
    args = parser.parse_args()
    if args.join:
        rows = joined(args.join)
    else:
        pose = create_pose_estimator(PoseConfig())
        rows = measure(pose, args)
        pose.close()
    result = tables(rows)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(readable(result))


if __name__ == "__main__":
    main()
