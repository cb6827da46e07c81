"""`pose-attention data import|pixels|photos|render|simulate|inspect`: data sets and own recordings into our file
format, drawn clips and known ones with their pixels, labelled photos, simulated motion in 3D, what such a file holds."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np

from pose_attention_ros.cli.data_import import IMPORTERS, add_import_arguments
from pose_attention_ros.cli.data_photos import add_photo_arguments, write_labelled_photos
from pose_attention_ros.cli.options import add_settings, read_settings, write_json
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset, file_sha256
from pose_attention_ros.data.motion3d.compact import MotionSet
from pose_attention_ros.data.originals import ORIGINALS, open_original
from pose_attention_ros.data.pixel_clips import SKELETONS_FILE, open_pixels
from pose_attention_ros.data.pixel_views import StoreConfig, store_pixels
from pose_attention_ros.data.rendered.clips import RenderConfig, render_dataset
from pose_attention_ros.data.simulated.sequences import KINDS, SimulationConfig, write_simulated

STORED = "stored"  # a folder that `pixels` or `render` wrote


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    importing = actions.add_parser("import", help="write a data set file from a known data set")
    add_import_arguments(importing)
    storing = actions.add_parser("pixels", help="store a known data set with its images, for models that read pixels")
    storing.add_argument("kind", choices=(*ORIGINALS, STORED), help="which data set SRC is; stored: a folder of ours")
    storing.add_argument("source", type=Path, metavar="SRC", help="its original folder")
    storing.add_argument("output", type=Path, metavar="OUT", help="folder for skeletons.npz and images.npy")
    add_settings(storing, "pixels", StoreConfig)
    photos = actions.add_parser("photos", help="write photos with people's joints, to train a pose network on")
    add_photo_arguments(photos)
    rendering = actions.add_parser("render", help="draw a data set with pixels: figures acting in clutter, joints, labels")
    rendering.add_argument("output", type=Path, metavar="OUT", help="folder for skeletons.npz and images.npy")
    add_settings(rendering, "rendering", RenderConfig)
    simulating = actions.add_parser(
        "simulate", help="simulate a body in 3D: falls, exercises, gestures, and what is none of it"
    )
    simulating.add_argument(
        "kind", choices=tuple(KINDS), help="falls and what is like them, or actions: exercises and gestures"
    )
    simulating.add_argument("output", type=Path, metavar="OUT.npz", help="a compact 3D file")
    add_settings(simulating, "simulation", SimulationConfig)
    inspecting = actions.add_parser("inspect", help="show what a data set file holds")
    inspecting.add_argument("file", type=Path, metavar="FILE.npz")
    for sub in (importing, storing, photos, rendering, simulating, inspecting):
        sub.add_argument("--json", type=Path, metavar="FILE", help="write the summary there as well")


def run(args: argparse.Namespace) -> int:
    if args.action == "simulate":
        write_json(args.json, _simulate(args))
        return 0
    if args.action == "photos":
        write_json(args.json, write_labelled_photos(args))
        return 0
    if args.action == "import":
        if not args.source.exists():
            raise UserError(f"SRC {args.source} does not exist")
        try:
            data, path = IMPORTERS[args.kind](args), args.output
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise UserError(f"SRC {args.source} cannot be read as {args.kind}: {error}") from error
        data.save(path)
        if isinstance(data, MotionSet):
            summary = summarise_motions(data, path)
            print_motions(summary)
            write_json(args.json, summary)
            return 0
    elif args.action in _FOLDERS:
        path = args.output / SKELETONS_FILE
        _FOLDERS[args.action](args)
        data = SkeletonDataset.load(path)
    else:
        data, path = SkeletonDataset.load(args.file), args.file
    summary = summarise(data, path)
    print_summary(summary)
    write_json(args.json, summary)
    return 0


def _render(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    config = read_settings(args, RenderConfig)
    with tqdm(unit="clip", total=config.clips, disable=None, leave=False, desc="drawing") as bar:
        render_dataset(config, args.output, bar.update)


def _simulate(args: argparse.Namespace) -> dict:
    from tqdm import tqdm

    config = read_settings(args, SimulationConfig)
    with tqdm(unit="sequence", total=config.sequences, disable=None, leave=False, desc="simulating") as bar:
        arrays = write_simulated(args.kind, config, args.output, bar.update)
    frames = np.diff(arrays["offsets"])
    summary = {
        "file": str(args.output),
        "sha256": file_sha256(args.output),
        "sequences": config.sequences,
        "clips": len(frames),
        "frames": int(frames.sum()),
        "subjects": len(set(arrays["subject"].tolist())),
        "labels": {
            str(label): {
                "clips": int((arrays["action"] == label).sum()),
                "frames": int(frames[arrays["action"] == label].sum()),
            }
            for label in sorted(set(arrays["action"].tolist()))
        },
    }
    print(
        f"{args.output}: {summary['sequences']} sequences, {summary['clips']} clips, {summary['frames']} frames, "
        f"{summary['subjects']} bodies"
    )
    for label, counts in summary["labels"].items():
        print(f"  {label:24s}clips {counts['clips']:<6d}frames {counts['frames']}")
    return summary


def _store(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    source = open_pixels(args.source) if args.kind == STORED else open_original(args.kind, args.source)
    with tqdm(unit="clip", total=len(source), disable=None, leave=False, desc="reading") as bar:
        store_pixels(source, read_settings(args, StoreConfig), args.output, bar.update)


_FOLDERS = {"render": _render, "pixels": _store}


def summarise(data: SkeletonDataset, path: Path) -> dict:
    """What `inspect` shows, as plain values."""
    frames = np.diff(data.offsets)
    return {
        "file": str(path),
        "sha256": file_sha256(path),
        "clips": len(data),
        "frames": int(frames.sum()),
        "frames_per_clip": {"min": int(frames.min()), "median": float(np.median(frames)), "max": int(frames.max())},
        "fps": sorted({round(float(fps), 3) for fps in data.fps}),
        "joints": list(data.joints),
        "missing_joints": round(float((data.scores == 0).mean()), 4),
        "groups": len(set(data.group.tolist())),
        "official_splits": data.official_splits.shape[1],
        "labels": data.counts(),
        **({"left_out": dict(data.left_out)} if data.left_out else {}),
    }


def summarise_motions(data: MotionSet, path: Path) -> dict:
    """The same of a compact 3D file."""
    frames = [len(motion.xyz) for motion in data.motions]
    return {
        "file": str(path),
        "sha256": file_sha256(path),
        "clips": len(data.motions),
        "frames": sum(frames),
        "fps": sorted({round(motion.fps, 3) for motion in data.motions}),
        "joints": list(data.motions[0].joints),
        "groups": len({motion.group for motion in data.motions}),
        "labels": data.counts(),
        **({"left_out": data.left_out.counts()} if data.left_out.reasons else {}),
    }


def print_motions(summary: dict) -> None:
    print(
        f"{summary['file']}: {summary['clips']} clips in 3D, {summary['frames']} frames, fps "
        f"{', '.join(f'{fps:g}' for fps in summary['fps'])}, {summary['groups']} groups"
    )
    print(f"joints: {', '.join(summary['joints'])}")
    for label, clips in summary["labels"].items():
        print(f"  {label:24s}{clips}")


def print_summary(summary: dict) -> None:
    length = summary["frames_per_clip"]
    fps = ", ".join(f"{fps:g}" if fps else "unknown" for fps in summary["fps"])
    print(
        f"{summary['file']}: {summary['clips']} clips, {summary['frames']} frames "
        f"({length['min']} to {length['max']} a clip, median {length['median']:g}), fps {fps}, "
        f"{summary['groups']} groups, {summary['missing_joints']:.1%} of joints missing"
    )
    print(f"joints: {', '.join(summary['joints'])}")
    for label, counts in summary["labels"].items():
        print(f"  {label:24s}" + "".join(f"{split} {number:<6d}" for split, number in counts.items()))
