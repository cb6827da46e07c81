"""Which pose estimator for which board: accuracy, time, memory and people at once of each, on the same photos.

    python -m benchmarks.pose_choice --photos DIR --threads 2 --out out/bench/pose_choice
    python -m benchmarks.pose_choice --photos DIR --part validation --most-photos 120 --every-stage    # wants torch

DIR holds images/, annotations_human.json and test_human.txt (COCO keypoints, made by people); what else is read of it, see
benchmarks/pose_photos.py. Without it accuracy is left out and time is measured on the frames of --source. Times are taken in
turns, so that a busy machine disturbs all alike; what an earlier run into the same folder found of accuracy and memory is
kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.pose_photos import PARTS, labelled_photos, training_images
from benchmarks.process_use import process_use
from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.cli.bench import machine
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.types import Frame
from pose_attention_ros.data.pose_targets import TargetConfig, make_targets
from pose_attention_ros.inference import movenet_network, weights
from pose_attention_ros.inference.paf_decoding import decode
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.pose_model import PoseSpec, read_pose_spec
from pose_attention_ros.inference.recogniser import find_model

MOVENET_SIZES = (192, 256, 320, 384)
MOVENET_RUNTIME_SIZES = (256, 320)
THUNDER = "movenet_thunder"
POSE_CNN_SIZES = (192, 224, 256, 320)
STAGES_SIZE = 224
ROUNDS = 15
CROWD = (4, 3)  # columns and rows of one image made of twelve, to see how many people come out at once
CROWD_SIZE = 512
DECODED = (0, 1, 5, 20)
PLACE_PX = (64, 128)
CALIBRATION_PHOTOS = 100
RESULT, PICTURE = "pose_choice.json", "pose_choice.png"


@dataclass(frozen=True)
class Contender:
    """One row: the settings of an estimator, and what to call it."""

    title: str
    config: PoseConfig
    stages: int = 0


def contenders(models: Sequence[PoseSpec], sizes: Sequence[int], threads: int) -> Iterator[Contender]:
    """MoveNet on its runtimes and with a second look, Thunder where it is fetched, and every precision of the pose network
    at each size; with other numbers of stages at one size."""
    for size in MOVENET_SIZES:
        yield Contender("MoveNet MultiPose", PoseConfig(input_size=size, threads=threads, min_person_score=0.0))
    others = [("onnx", "fp32"), *([("onnx", "int8")] if movenet_network.is_written("int8") else [])]
    for runtime, precision in others:
        for size in MOVENET_RUNTIME_SIZES:
            config = PoseConfig(runtime=runtime, precision=precision, input_size=size, threads=threads, min_person_score=0.0)
            yield Contender(f"MoveNet MultiPose, {runtime}, {precision}", config)
    for size in MOVENET_RUNTIME_SIZES:
        config = PoseConfig(input_size=size, threads=threads, min_person_score=0.0, zoom="auto")
        yield Contender("MoveNet MultiPose, zoom auto", config)
    if weights.weight_file(THUNDER).path.is_file():
        for size in MOVENET_RUNTIME_SIZES:
            config = PoseConfig(estimator=THUNDER, input_size=size, threads=threads, min_person_score=0.0)
            yield Contender("MoveNet Thunder on MultiPose's boxes, first look", config)
    for number, spec in enumerate(models):
        for precision in (name for name in ("fp32", "int8") if name in spec.files):
            for size in sizes if number == 0 else (STAGES_SIZE,):
                config = PoseConfig(
                    estimator="pose_cnn",
                    pose_model=str(spec.folder),
                    precision=precision,
                    input_size=size,
                    threads=threads,
                    min_person_score=0.0,
                )
                yield Contender(f"pose_cnn, {precision}", config, spec.stages)


def by_stages(model: str, photos: Path, folder: Path) -> list[PoseSpec]:
    """The network at every other number of stages; int8 calibrated on training photos."""
    from benchmarks.pose_cnn import stages_of

    made = stages_of(find_model(model), folder, training_images(photos, CALIBRATION_PHOTOS, STAGES_SIZE))
    return [read_pose_spec(str(path)) for stages, path in made.items() if stages != read_pose_spec(model).stages]


def accuracy(row: Contender, photos: list) -> dict[str, float]:
    """COCO's scores on labelled photos."""
    import cv2

    from pose_attention_ros.evaluation.keypoints import score_keypoints

    estimator = create_pose_estimator(row.config)
    found = [estimator(Frame(cv2.imread(str(photo.path), cv2.IMREAD_COLOR), 0)) for photo in photos]
    estimator.close()
    return {
        key: round(value, 4)
        for key, value in dataclasses.asdict(score_keypoints(photos, found)).items()
        if key in ("ap", "ap50", "ap75", "ar")
    }


def times(rows: Sequence[Contender], frames: Sequence[Frame], rounds: int) -> list[dict[str, float]]:
    """Milliseconds a frame of each row, all of it, the network alone, and of the processor: medians over frames taken in
    turns."""
    estimators = [create_pose_estimator(row.config) for row in rows]
    for estimator in estimators:
        for frame in frames:
            estimator(frame)
    whole, network, processor = np.zeros((3, rounds, len(rows), len(frames)))
    for turn in range(rounds):
        for number, estimator in enumerate(estimators):
            for place, frame in enumerate(frames):
                began, used = time.perf_counter(), time.process_time()
                estimator(frame)
                processor[turn, number, place] = 1e3 * (time.process_time() - used)
                whole[turn, number, place] = 1e3 * (time.perf_counter() - began)
                network[turn, number, place] = 1e3 * estimator.network_s
    for estimator in estimators:
        estimator.close()
    return [
        {
            "ms": round(float(np.median(whole[:, number])), 2),
            "p95_ms": round(float(np.quantile(whole[:, number], 0.95)), 2),
            "network_ms": round(float(np.median(network[:, number])), 2),
            "processor_ms": round(float(np.median(processor[:, number])), 2),
        }
        for number in range(len(rows))
    ]


def decoding_ms() -> dict[int, float]:
    """Milliseconds of CPU to decode ideal maps of 0, 1, 5 and 20 people, each with joints anywhere in a place of its own."""
    table, rng, times_ms = LAYOUTS["openpose18"], np.random.default_rng(0), {}
    for people in DECODED:
        columns = max(1, min(people, 5))
        rows = max(1, -(-people // columns))
        place = np.stack([np.arange(people) % columns, np.arange(people) // columns], 1)[:, None] * PLACE_PX
        joints = (place + rng.uniform(8, np.array(PLACE_PX) - 8, (people, len(table.joints), 2))).astype(np.float32)
        size = np.array([rows, columns]) * PLACE_PX[::-1] // 8
        maps = make_targets(
            joints,
            np.ones(joints.shape[:2], bool),
            np.zeros((people, 4), np.float32),
            np.ones(size, np.float32),
            table,
            TargetConfig(),
        )
        taken = []
        for _ in range(100):
            began = time.process_time()
            decode(maps.confidence, maps.affinity, table)
            taken.append(1e3 * (time.process_time() - began))
        times_ms[people] = round(float(np.median(taken)), 2)
    return times_ms


def memory_mb(row: Contender, frame: Frame) -> float:
    """Growth of a fresh process's peak memory by loading the estimator and running it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return round(pool.submit(_memory_growth, row.config, frame.image_bgr).result(), 1)


def _memory_growth(config: PoseConfig, image_bgr: np.ndarray) -> float:
    import cv2  # noqa: F401  the libraries' own size is not the estimator's
    import onnxruntime  # noqa: F401

    before = process_use(os.getpid()).memory_mb
    estimator = create_pose_estimator(config)
    for _ in range(5):
        estimator(Frame(image_bgr, 0))
    return process_use(os.getpid()).memory_mb - before


def people_at_once(row: Contender, frames: Sequence[Frame]) -> int:
    """How many of the twelve people in one image of twelve photos are found, at an input of CROWD_SIZE."""
    estimator = create_pose_estimator(
        dataclasses.replace(row.config, input_size=CROWD_SIZE, min_person_score=PoseConfig().min_person_score)
    )
    found = len(estimator(crowd_of(frames)))
    estimator.close()
    return found


def crowd_of(frames: Sequence[Frame]) -> Frame:
    """The first twelve frames side by side in one image of 4:3."""
    import cv2

    columns, rows = CROWD
    tiles = [cv2.resize(frames[i % len(frames)].image_bgr, (320, 320)) for i in range(columns * rows)]
    return Frame(np.concatenate([np.concatenate(tiles[r * columns : (r + 1) * columns], 1) for r in range(rows)]), 0)


def measure(args: argparse.Namespace) -> dict:
    """The whole table as plain values."""
    photos, frames = labelled(args), []
    if photos:
        import cv2

        singles = [photo for photo in photos if photo.people == 1][:12] or photos[:12]
        frames = [Frame(cv2.imread(str(photo.path), cv2.IMREAD_COLOR), 0) for photo in singles]
    elif args.source:
        camera = open_source(args.source, CameraConfig())
        frames = [frame for _, frame in zip(range(12), iter(camera.read, None))]
        camera.close()
    if not frames:
        raise UserError("there is nothing to measure on: give --photos DIR or --source VIDEO")
    with tempfile.TemporaryDirectory() as scratch:
        models = [read_pose_spec(args.model)]
        if args.every_stage and photos:
            models += by_stages(args.model, Path(args.photos), args.stage_models or Path(scratch))
        rows = list(contenders(models, args.sizes, args.threads))
        results = [describe(row, args.part, len(photos)) for row in rows]
        for row, result in zip(rows, results):
            if kept(result, args.out):
                continue
            print(f"{row.title} at {row.config.input_size}", flush=True)
            result["memory_mb"] = memory_mb(row, frames[0])
            if photos:
                result |= {**accuracy(row, photos), "of_twelve": people_at_once(row, frames)}
        for result, measured in zip(results, times(rows, frames[:4], args.rounds)):
            result |= measured
    return {
        "machine": machine(),
        "load_average": round(os.getloadavg()[0], 1),
        "threads": args.threads,
        "part": args.part,
        "photos": len(photos),
        "people": sum(photo.people for photo in photos),
        "rows": results,
        "decoding_ms": decoding_ms(),
    }


def describe(row: Contender, part: str, photos: int) -> dict:
    """What a row is of: the same description has the same accuracy."""
    spec = read_pose_spec(row.config.pose_model) if row.stages else None
    fetched = THUNDER if row.config.estimator == THUNDER else movenet_network.WEIGHTS
    sha256 = spec.files[row.config.precision][1] if spec else weights.weight_file(fetched).sha256
    return {
        "title": row.title,
        "input_size": row.config.input_size,
        "stages": row.stages,
        "sha256": sha256,
        "part": part,
        "photos": photos,
    }


def kept(result: dict, folder: Path) -> bool:
    """Fill `result` with what an earlier run into the same folder found that cannot differ now: all but the times."""
    path = folder / RESULT
    earlier = json.loads(path.read_text())["rows"] if path.is_file() else []
    for row in earlier:
        if all(row.get(key) == value for key, value in result.items()):
            result |= {key: value for key, value in row.items() if not key.endswith("ms")}
            return True
    return False


def labelled(args: argparse.Namespace) -> list:
    """The photos to score on; none, with a line that says so, where the folder is absent."""
    annotations, names = PARTS[args.part]
    if not args.photos or not (Path(args.photos) / annotations).is_file():
        print(
            f"accuracy is left out, for there are no labelled photos: {args.photos or '--photos DIR'} with {annotations}, "
            f"{names}, images/"
        )
        return []
    return labelled_photos(Path(args.photos), args.part, args.most_photos)


def table(result: dict) -> str:
    """As Markdown."""
    lines = [
        f"{result['machine']}, {result['threads']} thread(s), load {result['load_average']}; {result['people']} people "
        f"in {result['photos']} {result['part']} photos",
        "",
        "| estimator | input | stages | AP | AP50 | ms a frame | of it network | processor ms | memory, MB | found of 12 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['title']} | {row['input_size']} | {row['stages'] or '-'} | {_number(row, 'ap')} | "
            f"{_number(row, 'ap50')} | {row['ms']:.1f} | {row['network_ms']:.1f} | "
            f"{row['processor_ms']:.1f} | {row['memory_mb']:.0f} | "
            f"{row.get('of_twelve', '-')} |"
        )
    decoding = ", ".join(f"{people}: {ms:.1f} ms" for people, ms in result["decoding_ms"].items())
    return "\n".join([*lines, "", f"Decoding of maps, by people in view: {decoding}"])


def _number(row: dict, key: str) -> str:
    return f"{row[key]:.3f}" if key in row else "-"


def picture(result: dict, path: Path) -> None:
    """Accuracy against time, one line an estimator over its input sizes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    lines: dict[str, list[dict]] = {}
    for row in result["rows"]:
        name = row["title"] + (f", {row['stages']} stage{'s' * (row['stages'] > 1)}" if row["stages"] else "")
        lines.setdefault(name, []).append(row)
    for name, rows in lines.items():
        axes.plot([row["ms"] for row in rows], [row["ap"] for row in rows], "o-", label=name)
        for row in rows:
            axes.annotate(
                str(row["input_size"]), (row["ms"], row["ap"]), textcoords="offset points", xytext=(4, 4), fontsize=7
            )
    axes.set(
        xlabel=f"milliseconds a frame, {result['threads']} thread(s)",
        ylabel="AP (OKS 0.50 to 0.95)",
        ylim=(0, None),
        xlim=(0, None),
    )
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", default="", metavar="DIR", help="folder with images/, labels and lists of file names")
    parser.add_argument("--part", choices=tuple(PARTS), default="test", help="which photos of it (default: %(default)s)")
    parser.add_argument("--source", default="", help="without photos: the recording whose frames are timed")
    parser.add_argument(
        "--model", default=PoseConfig().pose_model, help="pose network: name or directory (default: %(default)s)"
    )
    parser.add_argument(
        "--every-stage",
        action="store_true",
        help="also with other numbers of stages, exported from its weights (wants torch, and photos)",
    )
    parser.add_argument("--stage-models", type=Path, metavar="DIR", help="keep the model of each number of stages there")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=POSE_CNN_SIZES, help="input sizes of it (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--most-photos", type=int, default=0, help="score on so many only (default: all)")
    parser.add_argument("--out", type=Path, default=Path("out/bench/pose_choice"), help="folder (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often times are taken (default: %(default)s)")
    return parser


def run(args: argparse.Namespace) -> dict:
    """Measure, and write table and picture into the folder. Raises UserError."""
    weights.fetch(movenet_network.WEIGHTS)
    result = measure(args)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / RESULT).write_text(json.dumps(result, indent=2) + "\n")
    (args.out / "pose_choice.md").write_text(table(result) + "\n")
    if result["photos"]:
        picture(result, args.out / PICTURE)
    return result


def main() -> None:
    args = arguments().parse_args()
    try:
        result = run(args)
    except UserError as error:
        raise SystemExit(f"pose_choice: {error}") from None
    print(f"\n{table(result)}\n\nwritten to {args.out}")


if __name__ == "__main__":
    main()
