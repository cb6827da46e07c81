"""How much joints tremble and how late they are, for several settings of the smoothing, on real videos.

    python -m benchmarks.steadiness --videos walk.avi exercise.mp4 --input-size 256 --most-frames 150

The One-Euro filter of the graph stage beside a Kalman filter (benchmarks/joint_kalman.py).

Tremble: median step of the joints of slow people from frame to frame. Lag: median way that fast joints are behind, along
their motion. Both in torso lengths, against the mean of the raw joints over 0.3 s around each moment, which no live filter
can know.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.joint_kalman import JointKalman, KalmanConfig
from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.smoothing import JointSmoother, SmoothingConfig
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

SETTINGS: dict[str, SmoothingConfig | KalmanConfig] = {
    "no smoothing": SmoothingConfig(min_cutoff_hz=100.0, cutoff_slope=100.0),
    "default": SmoothingConfig(),
    "before": SmoothingConfig(min_cutoff_hz=2.0, cutoff_slope=1.5, still_speed=0.0),
    "before, lower cut-off": SmoothingConfig(min_cutoff_hz=1.0, cutoff_slope=1.5, still_speed=0.0),
    "before, steeper": SmoothingConfig(min_cutoff_hz=0.5, cutoff_slope=3.0, still_speed=0.0),
    "lively": SmoothingConfig(min_cutoff_hz=1.0),
    "Kalman, fixed noise": KalmanConfig(acceleration=0.1, noise=0.06, power=0.0),
    "Kalman, noise by score": KalmanConfig(acceleration=0.1, noise=0.06),
    "Kalman, quicker, fixed noise": KalmanConfig(acceleration=0.3, noise=0.03, power=0.0),
    "Kalman, quicker, noise by score": KalmanConfig(acceleration=0.3, noise=0.03),
}
AROUND_S, SLOW, FAST = 0.15, 0.25, 1.5  # half of the reference's width; torso lengths a second
LEAST_FRAMES, LEAST_SCORE = 25, 0.2


def tracks_of(video: str, input_size: int, most_frames: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each person who stays long enough without a gap: joints (T, V, 2), scores (T, V), stamps in s (T,)."""
    camera, pose = open_source(video, CameraConfig()), create_pose_estimator(PoseConfig(input_size=input_size))
    try:
        return tracks_in(pose(frame) for frame in islice(iter(camera.read, None), most_frames))
    finally:
        camera.close()
        pose.close()


def tracks_in(stream: Iterable[Skeletons]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The same, of the people whom an estimator has found in successive frames."""
    graph: GraphStage | None = None
    found: dict[int, list] = defaultdict(list)
    for skeletons in stream:
        graph = graph or GraphStage(GraphConfig(layout=skeletons.layout.name))
        graphs = graph(skeletons)
        for track, box in zip(graphs.track_ids.tolist(), graphs.boxes_xyxy):
            row = int(np.abs(skeletons.boxes_xyxy - box).sum(1).argmin())
            found[track].append((skeletons.keypoints_px[row], skeletons.scores[row], skeletons.stamp_ns * 1e-9))
    return [tuple(map(np.array, zip(*moments))) for moments in found.values() if len(moments) >= LEAST_FRAMES]


def smoothed(
    joints: np.ndarray, scores: np.ndarray, steps_s: np.ndarray, torso_px: float, config: SmoothingConfig | KalmanConfig
) -> np.ndarray:
    """(T, V, 2) what a live filter makes of a person's joints (T, V, 2) with scores (T, V)."""
    mask, scale = scores >= LEAST_SCORE, np.float32(torso_px)
    if isinstance(config, KalmanConfig):
        kalman = JointKalman(joints.shape[1], config)
        return np.array([kalman(*row, scale, step_s) for *row, step_s in zip(joints, mask, scores, steps_s)])
    smoother = JointSmoother(scores.shape[1:], config)
    return np.array([smoother(*row, scale, np.float32(step_s))[0] for *row, step_s in zip(joints, mask, steps_s)])


def steadiness(
    tracks: list, config: SmoothingConfig | KalmanConfig, torso_joints: tuple[list[int], list[int]]
) -> dict[str, float]:
    """Median and ninetieth percentile of the tremble, and the median lag."""
    tremble, lag = [], []
    for joints, scores, stamps_s in tracks:
        torso = np.median(np.linalg.norm(joints[:, torso_joints[0]].mean(1) - joints[:, torso_joints[1]].mean(1), axis=-1))
        mask = scores >= LEAST_SCORE
        steps_s = np.diff(stamps_s, prepend=stamps_s[0] - 0.1)
        out = smoothed(joints, scores, steps_s, torso, config)
        dt = np.median(steps_s[1:])
        reach = max(1, round(AROUND_S / dt))
        truth = np.array([joints[max(0, i - reach) : i + reach + 1].mean(0) for i in range(len(joints))])
        motion = np.gradient(truth, axis=0) / dt / torso
        speed = np.linalg.norm(motion, axis=-1)
        seen = mask[1:] & mask[:-1]
        step = np.linalg.norm(np.diff(out, axis=0), axis=-1) / torso
        tremble += step[seen & (speed[1:] < SLOW)].tolist()
        behind = ((truth - out) / torso * motion).sum(-1) / np.maximum(speed, 1e-6)
        lag += behind[1:][seen & (speed[1:] > FAST)].tolist()
    if not tremble or not lag:
        raise UserError("the videos show no person who stays for 25 frames and is slow in some of them and fast in others")
    return {
        "tremble": float(np.median(tremble)),
        "tremble_p90": float(np.percentile(tremble, 90)),
        "lag": float(np.median(lag)),
        "slow": len(tremble),
        "fast": len(lag),
    }


def measure(videos: Iterable[str], input_size: int, most_frames: int) -> dict[str, dict[str, float]]:
    """Each setting's numbers. Raises UserError."""
    tracks = [track for video in videos for track in tracks_of(video, input_size, most_frames)]
    torso = ([5, 6], [11, 12])  # shoulders and hips of COCO's joints
    return {name: steadiness(tracks, config, torso) for name, config in SETTINGS.items()}


def table(rows: dict[str, dict[str, float]]) -> str:
    """As Markdown."""
    lines = ["| smoothing | tremble, median | 90 % | lag |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {row['tremble']:.4f} | {row['tremble_p90']:.3f} | {row['lag']:.3f} |" for name, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--input-size", type=int, default=256)
    parser.add_argument("--most-frames", type=int, default=150)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        rows = measure(args.videos, args.input_size, args.most_frames)
    except UserError as error:
        raise SystemExit(f"steadiness: {error}") from None
    print(table(rows))
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
