"""What the model's own classes lose when actions are taught to it: benchmarks.few_shot's other side.

    python -m benchmarks.known_classes --model everyday --taught out/data/utd_mhad.npz \
        --known penn=out/data/penn.npz --label-map config/train/everyday.yaml --seeds 4

For each seed five classes and five takes of each are drawn from `--taught` and taught. Then test clips of the model's own
classes are shown tick by tick, as `evaluate clips` shows them, with nothing taught and with each seed's actions. Goal: at
most one point less, in the mean over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.few_shot import UTD_CLASSES
from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.actions import TaughtActions, joined, taught_action
from pose_attention_ros.core.teaching.space import TeachingSpace, pooled
from pose_attention_ros.core.teaching.window import TaughtWindow
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.clips import Answers, ShownClip, clip_ticks
from pose_attention_ros.evaluation.label_map import read_label_map, targets_of
from pose_attention_ros.inference.recogniser import find_model, load_recogniser
from pose_attention_ros.inference.teaching import read_space
from pose_attention_ros.training.teaching_space import embedded

_WAYS, _SHOTS = 5, 5
_CLIPS_AT_ONCE = 32
_LEAST_CHANCE = 1e-9


def ticks_of(recogniser: Recogniser, data: SkeletonDataset, rows: np.ndarray) -> list[np.ndarray]:
    """(T, V, C) of each clip."""
    return clip_ticks([ShownClip.of(data[i], data.joints, recogniser.spec.layout) for i in rows], recogniser.spec)


def taught_of(
    recogniser: Recogniser, space: TeachingSpace, data: SkeletonDataset, classes: list[str], seed: int
) -> TaughtActions:
    """Five actions drawn by `seed`, from five takes each."""
    rng, taught = np.random.default_rng(seed), TaughtActions(space)
    for name in rng.choice(classes, _WAYS, replace=False):
        rows = np.flatnonzero(data.labels == name)
        ticks = ticks_of(recogniser, data, rng.choice(rows, min(_SHOTS, len(rows)), replace=False))
        places = space.place(np.stack([pooled(each, clip) for each, clip in zip(embedded(recogniser, ticks), ticks)]))
        lengths_s = tuple(len(clip) / recogniser.spec.rate_hz for clip in ticks)
        taught = taught.with_action(taught_action(str(name), places, lengths_s, space))
    return taught


def answers_of(recogniser: Recogniser, ticks: list[np.ndarray], lessons: list[TaughtActions], shown: set[int]) -> np.ndarray:
    """(1 + lessons, clips) class index after each clip's last tick: with nothing taught, and with each lesson's actions."""
    spec, clips = recogniser.spec, len(ticks)
    state = np.zeros((clips, spec.state_size), np.float32)
    windows = [TaughtWindow(recogniser.embedding_size, clip.shape[1:], spec.rate_hz) for clip in ticks]
    names = [spec.classes, *((*spec.classes, *taught.names) for taught in lessons)]
    answers = [Answers(each, spec.postures, spec.temperature, clips, shown) for each in names]
    said = np.zeros((len(names), clips), int)
    for tick in range(max(map(len, ticks))):
        there = np.array([i for i, clip in enumerate(ticks) if tick < len(clip)])
        output = recogniser.step(np.stack([ticks[i][tick] for i in there]), state[there])
        state[there] = output.state
        for row, i in enumerate(there):
            windows[i].add(output.embedding[row], ticks[i][tick])
        chances = metrics.softmax(output.logits / spec.temperature).astype(np.float32)
        said[0, there] = answers[0].after(there, output.logits).argmax(1)
        for number, taught in enumerate(lessons, 1):
            likeness = np.stack([windows[i].likeness(taught) for i in there])
            both = joined(chances, likeness, taught.limits, spec.threshold)
            logits = spec.temperature * np.log(np.maximum(both, _LEAST_CHANCE))
            said[number, there] = answers[number].after(there, logits).argmax(1)
    return said


def loss_on(recogniser: Recogniser, data: SkeletonDataset, targets: dict[int, int], lessons: list[TaughtActions]) -> dict:
    """Shares of the clips that are told rightly."""
    rows = np.array(sorted(targets, key=lambda i: data.offsets[i + 1] - data.offsets[i]))  # batches of like lengths
    shown, right = set(targets.values()), []
    for begin in range(0, len(rows), _CLIPS_AT_ONCE):
        chosen = rows[begin : begin + _CLIPS_AT_ONCE]
        said = answers_of(recogniser, ticks_of(recogniser, data, chosen), lessons, shown)
        right.append(said == np.array([targets[i] for i in chosen]))
    shares = np.concatenate(right, 1).mean(1)
    return {
        "clips": len(rows),
        "before": float(shares[0]),
        "after": shares[1:].tolist(),
        "loss": float(shares[0] - shares[1:].mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="everyday", help="name or directory, with teaching.npz")
    parser.add_argument("--taught", type=Path, required=True, metavar="FILE.npz", help="where actions to teach are drawn")
    parser.add_argument("--classes", default=UTD_CLASSES, help="its labels that the model has no class for")
    parser.add_argument("--known", nargs="+", required=True, metavar="NAME=FILE.npz", help="test clips of known classes")
    parser.add_argument("--label-map", type=Path, required=True, metavar="FILE.yaml", help="as for `evaluate clips`")
    parser.add_argument("--most", type=int, default=500, metavar="N", help="clips of a file (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=4)
    add_json(parser)
    args = parser.parse_args()
    recogniser = load_recogniser(args.model)
    space, label_map = read_space(find_model(args.model), recogniser), read_label_map(args.label_map)
    data = SkeletonDataset.load(args.taught)
    classes = [name for name in args.classes.split(",") if name in set(data.labels.tolist())]
    if len(classes) < _WAYS:
        raise UserError(f"--classes names {len(classes)} labels of {args.taught}, expected at least {_WAYS}")
    lessons = [taught_of(recogniser, space, data, classes, seed) for seed in range(args.seeds)]
    result = {"model": recogniser.spec.model_id, "taught": [lesson.names for lesson in lessons], "known": {}}
    for name, _, path in (each.partition("=") for each in args.known):
        known = SkeletonDataset.load(Path(path))
        targets = {
            i: target
            for i, target in targets_of(known, recogniser.spec.classes, "test", label_map, name).items()
            if target >= 0
        }
        kept = list(targets)[:: -(-len(targets) // args.most)]
        row = result["known"][name] = loss_on(recogniser, known, {i: targets[i] for i in kept}, lessons)
        after = ", ".join(f"{share:.1%}" for share in row["after"])
        print(
            f"{name}: {row['clips']} clips, {row['before']:.1%} right before, {after} after; in the mean "
            f"{100 * row['loss']:.1f} points less",
            flush=True,
        )
    write_json(args.json, result)


if __name__ == "__main__":
    main()
