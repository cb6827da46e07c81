"""How fast bags are evaluated, and in how much memory: python -m benchmarks.bags --source VIDEO --out DIR

Makes bags of the video (its images, and the skeletons that the pose network finds in it), evaluates each in a process of its
own, and prints a table; the same numbers go to DIR/bags.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from pose_attention_ros.bags.writing import BagWriter, compressed_message, image_message, skeletons_message
from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame, Skeletons
from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask, evaluate_recording
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

START_NS = 1_700_000_000 * 10**9
LONG = 8  # the long bag is so many times the short one


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 1 where the video cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--source", required=True, help="video file, folder of images, or bag")
    parser.add_argument("--out", type=Path, default=Path("out/bench/bags"), metavar="DIR")
    parser.add_argument("--frames", type=int, default=300, metavar="N", help="of the video (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="the median counts (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        bags = make_bags(args.source, args.out, args.frames)
        rows = {name: measured(path, args.repeats) for name, path in bags.items()}
        name, path = [*bags.items()][-1]
        rows[name + ", two processes"] = measured(path, args.repeats, two_processes=True)
    except UserError as error:
        print(f"benchmarks.bags: {error}", file=sys.stderr)
        return 1
    (args.out / "bags.json").write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))
    print(f"written to {args.out / 'bags.json'}")
    return 0


def make_bags(source: str, out: Path, frames: int) -> dict[str, Path]:
    """Bags of the first frames: raw and compressed images, skeletons, and skeletons for LONG times as long."""
    names = ("raw images", "compressed images", "skeletons", f"skeletons, {LONG} times as long")
    paths = {name: out / name.replace(",", "").replace(" ", "_") for name in names}
    for path in paths.values():
        shutil.rmtree(path, ignore_errors=True)
    camera, estimator = open_source(source, start_stamp_ns=START_NS), create_pose_estimator(PoseConfig())
    found: list[Skeletons] = []
    try:
        with BagWriter(paths[names[0]]) as raw, BagWriter(paths[names[1]]) as packed:
            while len(found) < frames and (frame := camera.read()) is not None:
                raw.write("/image_raw", frame.stamp_ns, image_message(frame))
                packed.write("/image_raw/compressed", frame.stamp_ns, compressed_message(frame))
                found.append(estimator(Frame(frame.image_bgr, frame.stamp_ns, "camera")))
    finally:
        camera.close()
        estimator.close()
    span_ns = found[-1].stamp_ns - found[0].stamp_ns + round(1e9 / camera.fps)
    for name, rounds in ((names[2], 1), (names[3], LONG)):
        with BagWriter(paths[name]) as writer:
            for shift_ns in range(0, rounds * span_ns, span_ns):
                for people in found:
                    stamp_ns = people.stamp_ns + shift_ns
                    writer.write(
                        "/skeletons",
                        stamp_ns,
                        skeletons_message(
                            Skeletons(
                                stamp_ns,
                                people.frame_id,
                                people.layout,
                                people.image_size,
                                people.keypoints_px,
                                people.scores,
                                people.boxes_xyxy,
                                people.person_scores,
                            )
                        ),
                    )
    return paths


def measured(path: Path, repeats: int, two_processes: bool = False) -> dict[str, Any]:
    """Medians of several runs, each in a fresh process. `evaluate bag` takes two for a long bag of skeletons."""
    context = multiprocessing.get_context("spawn")
    runs = []
    for _ in range(repeats):
        with ProcessPoolExecutor(1, context) as pool:
            runs.append(pool.submit(one_run, str(path), two_processes).result())
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def one_run(path: str, two_processes: bool) -> dict[str, float]:
    """Evaluate a bag without labels; what it took."""
    import resource

    values = evaluate_recording(RecordingTask(path, pictures=False, two_processes=two_processes)).values
    timings = values["timings"]
    people = sum(person["frames"] for person in values["people"]) / values["stream"]["frames"]
    seconds = values["stream"]["seconds"]
    return {
        "frames": values["stream"]["frames"],
        "rate_hz": values["stream"]["median_rate_hz"],
        "people": round(people, 2),
        "times_real_time": timings["times_real_time"],
        "times_real_time_cpu": round(seconds / timings["cpu_s"], 2),
        "frame_ms": timings["stages_ms"]["all_stages"]["mean"],
        "pose_ms": timings["stages_ms"].get("pose", {}).get("mean", 0.0),
        "reading_ms": timings["reading_ms"]["mean"],
        "judging_ms": timings["judging_ms"]["mean"],
        "overhead_share": timings["overhead_share"] or 0.0,
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """For a terminal. Reading and judging are what an evaluation adds to the stages; x CPU: times real time by the CPU time
    of all threads, which others on the machine do not lengthen."""
    head = (
        "bag",
        "frames",
        "Hz",
        "people",
        "x real time",
        "x CPU",
        "stages ms",
        "reading ms",
        "judging ms",
        "overhead",
        "MB",
    )
    lines = [" ".join([f"{head[0]:42s}", *(f"{name:>11s}" for name in head[1:])])]
    for name, row in rows.items():
        # fmt: off
        cells = (f"{row['frames']:.0f}", f"{row['rate_hz']:.1f}", f"{row['people']:.2f}", f"{row['times_real_time']:.1f}",
                 f"{row['times_real_time_cpu']:.1f}", f"{row['frame_ms']:.2f}", f"{row['reading_ms']:.3f}",
                 f"{row['judging_ms']:.3f}", f"{row['overhead_share']:.1%}", f"{row['memory_mb']:.0f}")
        # fmt: on
        lines.append(" ".join([f"{name:42s}", *(f"{cell:>11s}" for cell in cells)]))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
