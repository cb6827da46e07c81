"""How much joints tremble and how late they are, for several settings of the smoothing, on real videos.

    python -m benchmarks.steadiness --videos walk.avi exercise.mp4 --input-size 256 --most-frames 150

Tremble: median step of the joints of slow people from frame to frame. Lag: median way that fast joints are behind, along
their motion. Both in torso lengths, against the mean of the raw joints over 0.3 s around each moment, which no live filter
can know.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.smoothing import JointSmoother, SmoothingConfig
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

SETTINGS = {
    "no smoothing": SmoothingConfig(min_cutoff_hz=100.0, cutoff_slope=100.0),
    "default": SmoothingConfig(),
    "default, lower cut-off": SmoothingConfig(min_cutoff_hz=1.0),
    "default, steeper": SmoothingConfig(min_cutoff_hz=0.5, cutoff_slope=3.0),
    "steady": SmoothingConfig(min_cutoff_hz=0.4, cutoff_slope=4.0, still_speed=0.5),
}
AROUND_S, SLOW, FAST = 0.15, 0.25, 1.5  # half of the reference's width; torso lengths a second
LEAST_FRAMES, LEAST_SCORE = 25, 0.2


def tracks_of(video: str, input_size: int, most_frames: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each person who stays long enough without a gap: joints (T, V, 2), scores (T, V), stamps in s (T,)."""
    camera, pose = open_source(video, CameraConfig()), create_pose_estimator(PoseConfig(input_size=input_size))
    graph = GraphStage(GraphConfig(layout=pose.layout.name))
    found: dict[int, list] = defaultdict(list)
    try:
        for _, frame in zip(range(most_frames), iter(camera.read, None)):
            skeletons = pose(frame)
            graphs = graph(skeletons)
            for track, box in zip(graphs.track_ids.tolist(), graphs.boxes_xyxy):
                row = int(np.abs(skeletons.boxes_xyxy - box).sum(1).argmin())
                found[track].append((skeletons.keypoints_px[row], skeletons.scores[row], frame.stamp_ns * 1e-9))
    finally:
        camera.close()
        pose.close()
    return [tuple(map(np.array, zip(*moments))) for moments in found.values() if len(moments) >= LEAST_FRAMES]


def steadiness(tracks: list, config: SmoothingConfig, torso_joints: tuple[list[int], list[int]]) -> dict[str, float]:
    """Median and ninetieth percentile of the tremble, and the median lag."""
    tremble, lag = [], []
    for joints, scores, stamps_s in tracks:
        torso = np.median(np.linalg.norm(joints[:, torso_joints[0]].mean(1) - joints[:, torso_joints[1]].mean(1), axis=-1))
        smoother, mask = JointSmoother(scores.shape[1:], config), scores >= LEAST_SCORE
        steps_s = np.diff(stamps_s, prepend=stamps_s[0] - 0.1)
        out = np.array([smoother(joints[i], mask[i], np.float32(torso), np.float32(steps_s[i]))[0]
                        for i in range(len(joints))])
        dt = np.median(steps_s[1:])
        reach = max(1, round(AROUND_S / dt))
        truth = np.array([joints[max(0, i - reach):i + reach + 1].mean(0) for i in range(len(joints))])
        motion = np.gradient(truth, axis=0) / dt / torso
        speed = np.linalg.norm(motion, axis=-1)
        seen = mask[1:] & mask[:-1]
        step = np.linalg.norm(np.diff(out, axis=0), axis=-1) / torso
        tremble += step[seen & (speed[1:] < SLOW)].tolist()
        behind = ((truth - out) / torso * motion).sum(-1) / np.maximum(speed, 1e-6)
        lag += behind[1:][seen & (speed[1:] > FAST)].tolist()
    if not tremble or not lag:
        raise UserError("the videos show no person who stays for 25 frames and is slow in some of them and fast in others")
    return {"tremble": float(np.median(tremble)), "tremble_p90": float(np.percentile(tremble, 90)),
            "lag": float(np.median(lag)), "slow": len(tremble), "fast": len(lag)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", nargs="+", required=True)
    parser.add_argument("--input-size", type=int, default=256)
    parser.add_argument("--most-frames", type=int, default=150)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        tracks = [track for video in args.videos for track in tracks_of(video, args.input_size, args.most_frames)]
        torso = ([5, 6], [11, 12])  # shoulders and hips of COCO's joints
        rows = {name: steadiness(tracks, config, torso) for name, config in SETTINGS.items()}
    except UserError as error:
        raise SystemExit(f"steadiness: {error}") from None
    print("| smoothing | tremble, median | 90 % | lag |\n|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row['tremble']:.4f} | {row['tremble_p90']:.3f} | {row['lag']:.3f} |")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
