"""`pose-attention evaluate attention`: does it hurt to take away the joints and moments that the weights name?"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pose_attention_ros.cli.options import add_json, add_labelled_data, divided, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.evaluation import attention
from pose_attention_ros.evaluation.clips import ShownClip, clip_ticks
from pose_attention_ros.evaluation.label_map import read_label_map, targets_of
from pose_attention_ros.evaluation.metrics import NO_CLASS
from pose_attention_ros.inference.recogniser import load_recogniser

_CLIPS_AT_ONCE = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_labelled_data(parser, several=True)
    parser.add_argument("--clips", type=int, default=400, help="so many at most, drawn at random (default 400)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default 0)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="pictures (default out/evaluate/MODEL-FILE-attention)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    recogniser = load_recogniser(args.model)
    spec = recogniser.spec
    label_map = read_label_map(args.label_map) if args.label_map else None
    chosen: list[tuple[ShownClip, int]] = []
    for path in args.data:
        data = divided(SkeletonDataset.load(path), args)
        targets = targets_of(data, spec.classes, args.split, label_map, path.stem)
        chosen += [
            (ShownClip.of(data[row], data.joints, spec.layout), target)
            for row, target in targets.items()
            if target != NO_CLASS
        ]
    order = np.random.default_rng(args.seed).permutation(len(chosen))[: args.clips].tolist()
    ticks, truth = [], []
    for begin in range(0, len(order), _CLIPS_AT_ONCE):
        some = [chosen[i] for i in order[begin : begin + _CLIPS_AT_ONCE]]
        for (_, target), each in zip(some, clip_ticks([clip for clip, _ in some], spec)):
            if len(each) > 1:
                ticks.append(each)
                truth.append(target)
    if not ticks:
        raise UserError("no clip of a class to look at")
    with tqdm(total=attention.passes() + len(spec.layout.joints), unit="pass", desc="clips", leave=False) as bar:
        result = attention.faithfulness(recogniser, ticks, truth, args.seed, bar.update)
    maps = attention.class_maps(attention.watch(recogniser, ticks, truth), truth, spec.classes)
    result = {
        "model_id": spec.model_id,
        "sha256": spec.sha256,
        "split": args.split,
        "data_sha256": {str(path): file_sha256(path) for path in args.data},
        "seed": args.seed,
        **result,
        "joint_names": list(spec.layout.joints),
        "class_maps": maps,
    }
    write_json(args.json, result)
    print_table(result)
    print(_draw(result, spec, args.out or Path("out/evaluate") / f"{spec.model_id}-{args.data[0].stem}-attention"))
    return 0


def print_table(result: dict) -> None:
    """What is lost of the true class's probability, in points."""
    print(
        f"{result['clips']} clips; probability of the true class {result['score_before']:.3f}; points lost (95 % interval)"
    )
    for what in ("joints", "moments"):
        print(f"{what:10s}" + "".join(f"{kind:>24s}" for kind in (*attention.KINDS, "named - random")))
        for key, row in result[what].items():
            cells = [
                f"{row[kind]['points']:.1f} ({row[kind]['low']:.1f} to {row[kind]['high']:.1f})"
                for kind in (*attention.KINDS, "named_minus_random")
            ]
            print(f"{key:10s}" + "".join(f"{cell:>24s}" for cell in cells))
    agreement = result["rank_correlation_of_joints"]
    print(
        f"rank correlation of a joint's weight with what hiding it alone costs: {agreement['mean']:.2f} "
        f"({agreement['low']:.2f} to {agreement['high']:.2f})"
    )


def _draw(result: dict, spec, out: Path) -> str:
    from pose_attention_ros.evaluation.attention_pictures import draw_falls, draw_maps

    try:
        out.mkdir(parents=True, exist_ok=True)
        draw_falls(result, out / "faithfulness.png")
        draw_maps(result["class_maps"], spec.layout, out / "attention_maps.png")
    except ImportError as error:
        return f"no pictures, for {error.name} is not installed: pip install 'pose_attention_ros[train]'"
    return f"pictures in {out}"
