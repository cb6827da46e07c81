"""What the second look at small people brings and costs: people a frame and processor time on a video, AP on photos.

    python -m benchmarks.small_people --video opencv_vtest.avi --most-frames 300 --photos DIR --most-photos 100

Both estimators see each frame in turn, so that a busy machine disturbs both alike. DIR as in benchmarks/pose_photos.py; each
photo is the first image of a stream.
"""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path

from benchmarks.pose_photos import labelled_photos
from benchmarks.video_and_photos import run
from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.cli.evaluate_poses import find_people
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.evaluation.keypoints import score_keypoints
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

SURE_SCORE = GraphConfig().sure_score  # from which on a track begins


def on_video(video: str, configs: dict[str, PoseConfig], most_frames: int) -> dict[str, dict[str, float]]:
    """People a frame, those of whom the estimator is sure, those with a track, and milliseconds of processor time."""
    estimators = {name: create_pose_estimator(config) for name, config in configs.items()}
    graphs = {name: GraphStage() for name in configs}
    people, sure, tracked, times_s = ({name: [] for name in configs} for _ in range(4))
    camera = open_source(video, CameraConfig())
    try:
        for frame in itertools.islice(iter(camera.read, None), most_frames):
            for name, estimator in estimators.items():
                began = time.thread_time()
                found = estimator(frame)
                times_s[name].append(time.thread_time() - began)
                people[name].append(len(found))
                sure[name].append(int((found.person_scores >= SURE_SCORE).sum()))
                tracked[name].append(len(graphs[name](found)))
    finally:
        camera.close()
        for estimator in estimators.values():
            estimator.close()
    return {
        name: {
            "frames": len(people[name]),
            "people": statistics.mean(people[name]),
            "sure": statistics.mean(sure[name]),
            "tracked": statistics.mean(tracked[name]),
            "ms": 1e3 * statistics.mean(times_s[name][5:]),
        }
        for name in configs
    }


def on_photos(folder: Path, config: PoseConfig, most: int) -> dict[str, float]:
    """AP and AP50 on photos that people labelled."""
    photos = labelled_photos(folder, "test", most)
    estimator = create_pose_estimator(config)
    found, _ = find_people(estimator, photos)
    estimator.close()
    score = score_keypoints(photos, found)
    return {"photos": score.photos, "ap": score.ap, "ap50": score.ap50}


def measure(video: str, most_frames: int, photos: Path | None, most_photos: int, input_size: int) -> dict:
    """Both settings of `zoom`, on the video and on the photos, as far as they are there."""
    configs = {zoom: PoseConfig(input_size=input_size, zoom=zoom) for zoom in ("off", "auto")}
    result: dict = on_video(video, configs, most_frames) if video else {name: {} for name in configs}
    if photos:
        for name, config in configs.items():
            result[name] |= on_photos(photos, config, most_photos)
    return result


def table(result: dict) -> str:
    """As Markdown."""
    shown = {"people": "people a frame", "sure": f"with a score of {SURE_SCORE}", "tracked": "with a track"}
    shown |= {"ms": "processor ms a frame", "ap": "AP", "ap50": "AP50"}
    columns = [name for name in shown if name in result["off"]]
    lines = [f"| `zoom` | {' | '.join(shown[name] for name in columns)} |", f"|---|{len(columns) * '---|'}"]
    for zoom, row in result.items():
        cells = [f"{row[name]:.{1 if name == 'ms' else 3 if name in ('ap', 'ap50') else 2}f}" for name in columns]
        lines.append(f"| `{zoom}` | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(__doc__, measure, table, most_frames=300)
