"""What makes the pose network fast, and what its stages cost and bring.

    python -m benchmarks.pose_cnn --model pose_cnn --json out/bench/pose_cnn.json
    python -m benchmarks.pose_cnn --model pose_cnn --photos DIR --json out/bench/pose_cnn.json \
        --picture out/bench/pose_stages.png

Every form runs in turns within one run on one thread; the median of the processor's time counts, which other programs on a
busy machine hardly change. Stages beyond those that the model was trained with have random weights here: their time is
real, an accuracy they do not have. DIR is as in benchmarks/pose_choice.py; AP is of its validation photos.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.pose_photos import PARTS, labelled_photos, training_images
from benchmarks.recogniser import bound, in_turns
from pose_attention_ros.cli.bench import machine
from pose_attention_ros.cli.evaluate_poses import find_people
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.pose_images import Photo
from pose_attention_ros.evaluation.keypoints import score_keypoints
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import find_model

# Row -> how the graph is written; each adds one measure to the row before.
FORMS = {
    "as trained": {"fold": False, "pad": False, "fuse": False},
    "batch norm folded": {"fold": True, "pad": False, "fuse": False},
    "maps padded": {"fold": True, "pad": True, "fuse": False},
    "branches fused": {"fold": True, "pad": True, "fuse": True},
}
PRECISIONS = ("fp32", "int8")
_CALIBRATION = 8  # images of the timed int8 forms; their values do not change the time
_MOST_STAGES = 6
_WARM_UP, _ROUNDS = 3, 10


def eager(network, image: np.ndarray) -> Callable[[], None]:
    """The network in torch, one thread."""
    import torch

    torch.set_num_threads(1)
    tensor = torch.from_numpy(image)

    def call() -> None:
        with torch.inference_mode():
            network(tensor)

    return call


def time_forms(network, size: tuple[int, int], seconds: float, folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds (median) and megabytes of torch eager and every form of the graph, fp32 and int8.

    :param size: (height, width) of the input
    """
    from pose_attention_ros.models.pose_export import export_pose
    from pose_attention_ros.models.pose_graph import GraphConfig
    from pose_attention_ros.models.pose_int8 import quantise

    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (1, 3, *size)).astype(np.float32)
    calls, sizes_mb = {"torch eager": eager(network, image)}, {}
    for title, form in FORMS.items():
        path = folder / f"{title}.onnx"
        export_pose(network, path, config=GraphConfig(**form))
        files = {title: path}
        if form["fold"]:
            files[f"{title}, int8"] = folder / f"{title}-int8.onnx"
            quantise(path, files[f"{title}, int8"], list(rng.uniform(0, 1, (_CALIBRATION, 1, 3, *size)).astype(np.float32)))
        for name, file in files.items():
            calls[name], sizes_mb[name] = bound(file, {"image": image}), file.stat().st_size / 1e6
    measured = in_turns(calls, seconds, _WARM_UP, _ROUNDS, time.process_time)
    times = {name: float(np.median(each)) for name, each in measured.items()}
    return {
        name: {
            "ms": round(ms, 2),
            "times_eager": round(times["torch eager"] / ms, 2),
            **({"mb": round(sizes_mb[name], 2)} if name in sizes_mb else {}),
        }
        for name, ms in times.items()
    }


def stages_of(folder: Path, work: Path, images: list[np.ndarray]) -> dict[int, Path]:
    """Model directories of the model in `folder` at each number of stages it was trained with, each with an int8 file for
    ONNX Runtime calibrated on `images`; those that an earlier call made of the same weights are taken as they are."""
    from pose_attention_ros.models import pose_bundle as bundle

    made = {}
    for stages in range(1, len(bundle.load_pose_network(folder).stages) + 1):
        made[stages] = one = work / f"stages{stages}"
        known = (one / bundle.WEIGHTS).is_file() and "int8" in bundle.read_spec(one)["files"]
        if known and (one / bundle.WEIGHTS).read_bytes() == (folder / bundle.WEIGHTS).read_bytes():
            continue
        bundle.copy_weights(folder, one)
        bundle.export_files(one, stages=stages)
        bundle.add_int8(one, images, keys=("int8",))
    return made


def time_stages(network, size: tuple[int, int], seconds: float, folder: Path) -> dict[int, dict[str, float]]:
    """Milliseconds of one to six stages in both precisions; random weights beyond the network's own."""
    import torch

    from pose_attention_ros.models.pose_cnn import PoseCnn
    from pose_attention_ros.models.pose_export import export_pose
    from pose_attention_ros.models.pose_int8 import quantise

    torch.manual_seed(0)
    six = PoseCnn(dataclasses.replace(network.config, stages=_MOST_STAGES))
    six.load_state_dict(network.state_dict(), strict=False)
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (1, 3, *size)).astype(np.float32)
    calls = {}
    for stages in range(1, _MOST_STAGES + 1):
        for precision in PRECISIONS:
            path = folder / f"{precision}-{stages}.onnx"
            if precision == "fp32":
                export_pose(six, path, stages=stages)
            else:
                quantise(folder / f"fp32-{stages}.onnx", path, [image])
            calls[stages, precision] = bound(path, {"image": image})
    times = in_turns(calls, seconds, _WARM_UP, _ROUNDS, time.process_time)
    return {
        stages: {f"{precision}_ms": round(float(np.median(times[stages, precision])), 2) for precision in PRECISIONS}
        for stages in range(1, _MOST_STAGES + 1)
    }


def score_stages(models: dict[int, Path], photos: list[Photo], input_size: int) -> dict[int, dict[str, float]]:
    """AP of each trained number of stages in both precisions."""
    scores: dict[int, dict[str, float]] = {}
    for stages, folder in models.items():
        for precision in PRECISIONS:
            estimator = create_pose_estimator(
                PoseConfig(
                    estimator="pose_cnn",
                    pose_model=str(folder),
                    precision=precision,
                    input_size=input_size,
                    min_person_score=0.03,
                )
            )
            found, _ = find_people(estimator, photos)
            estimator.close()
            scores.setdefault(stages, {})[f"{precision}_ap"] = round(score_keypoints(photos, found).ap, 4)
    return scores


def draw_stages(rows: dict[int, dict[str, float]], path: Path) -> None:
    """AP against milliseconds, a point a number of stages; those without an AP are marks on the time axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 3.4), layout="constrained")
    for precision, colour in zip(PRECISIONS, ("C0", "C1")):
        known = {n: row for n, row in rows.items() if f"{precision}_ap" in row}
        axes.plot(
            [row[f"{precision}_ms"] for row in known.values()],
            [row[f"{precision}_ap"] for row in known.values()],
            "o-",
            color=colour,
            label=precision,
        )
        for stages, row in known.items():
            axes.annotate(str(stages), (row[f"{precision}_ms"], row[f"{precision}_ap"]), (4, 4), textcoords="offset points")
        low = axes.get_ylim()[0]
        rest = [row[f"{precision}_ms"] for n, row in rows.items() if n not in known]
        axes.plot(rest, len(rest) * [low], "|", color=colour, markersize=12)
    axes.set(
        xlabel="processor milliseconds an image, one thread" + (" (marks: accuracy not measured)" if rest else ""),
        ylabel="OKS AP",
        title="stages of the head",
    )
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def table_of(result: dict) -> str:
    """For the terminal, and for the documentation as it is."""
    lines = [
        f"{result['machine']}; input {result['size'][1]}x{result['size'][0]}, one thread",
        "",
        "| form | ms | times torch eager | MB |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['ms']:.1f} | {row['times_eager']:.2f} | {row.get('mb', float('nan')):.1f} |"
        for name, row in result["forms"].items()
    ]
    lines += ["", "| stages | ms fp32 | ms int8 | AP fp32 | AP int8 |", "|---|---|---|---|---|"]
    for stages, row in result["stages"].items():
        found = [row.get(f"{precision}_ap") for precision in PRECISIONS]
        scores = ["not measured" if ap is None else f"{ap:.3f}" for ap in found]
        lines.append(f"| {stages} | {row['fp32_ms']:.1f} | {row['int8_ms']:.1f} | {' | '.join(scores)} |")
    return "\n".join(lines)


def measure(args: argparse.Namespace) -> dict:
    from pose_attention_ros.models.pose_bundle import load_pose_network, read_spec

    folder = find_model(args.model)
    network, shipped = load_pose_network(folder), load_pose_network(folder)
    shipped.stages = shipped.stages[: read_spec(folder)["stages"]]
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        result = {
            "machine": machine(),
            "model": args.model,
            "size": args.size,
            "forms": time_forms(shipped, tuple(args.size), args.seconds, work),
        }
        rows: dict[int, dict[str, float]] = time_stages(network, tuple(args.size), args.seconds, work)
        if args.photos:
            photos = labelled_photos(args.photos, args.part, args.most_photos)
            images = training_images(args.photos, args.calibration_photos, args.input_size)
            models = stages_of(folder, args.stage_models or work, images)
            for stages, scores in score_stages(models, photos, args.input_size).items():
                rows[stages].update(scores)
            result["photos"] = len(photos)
        result["stages"] = rows
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pose_cnn", help="name under models/, or a directory with weights")
    parser.add_argument("--size", type=int, nargs=2, default=(168, 224), metavar=("H", "W"), help="timed input, px")
    parser.add_argument("--seconds", type=float, default=10.0, help="of timing, for each table")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="also AP, on the labelled photos in it")
    parser.add_argument("--part", choices=tuple(PARTS), default="validation", help="which of them (default: %(default)s)")
    parser.add_argument("--most-photos", type=int, default=120, help="so many, evenly picked (default: %(default)s)")
    parser.add_argument("--calibration-photos", type=int, default=100, help="training photos that int8 is calibrated on")
    parser.add_argument("--input-size", type=int, default=224, help="longer side of the input for AP, px")
    parser.add_argument("--stage-models", type=Path, metavar="DIR", help="keep the model of each number of stages there")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    try:
        result = measure(args)
    except UserError as error:
        parser.error(str(error))
    print(table_of(result))
    for path in (args.json, args.picture):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    if args.picture and args.photos:
        draw_stages(result["stages"], args.picture)


if __name__ == "__main__":
    main()
