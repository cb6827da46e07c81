"""The measured tables of docs/pose_choice.md, all made anew by one command.

    python -m benchmarks.pose_page --photos DIR --videos DIR --most-photos 120 --docs docs/pose_choice.md

DIR of photos as in benchmarks/pose_photos.py; without it AP is left out. A part without its videos is left as it is. Each
table says what it was measured on, when, and by which command.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import pose_choice, pose_equality, small_people, steadiness, top_down
from benchmarks.page_marks import marked, write_part
from benchmarks.pose_photos import IMAGES
from pose_attention_ros.cli.bench import machine
from pose_attention_ros.core.errors import UserError

SMALL, TWO = "opencv_vtest.avi", "mmaction2_demo_skeleton.mp4"  # small people; two people
STEADY = ("felixchenfy_exercise.avi", TWO, SMALL)  # of these, the ones that are there
ZOOM_SIZE = CROP_SIZE = 320


def measured(args: argparse.Namespace) -> str:
    """Accuracy, time and memory of every estimator."""
    words = ["--photos", str(args.photos or ""), "--source", str(args.videos / SMALL) if args.videos else ""]
    words += ["--most-photos", str(args.most_photos), "--threads", str(args.threads), "--rounds", str(args.rounds)]
    chosen = pose_choice.arguments().parse_args([*words, "--out", str(args.out)])
    result = pose_choice.run(chosen)
    if args.docs and result["photos"]:
        shutil.copy(args.out / pose_choice.PICTURE, args.docs.parent / "pictures")
    return pose_choice.table(result)


def equality(args: argparse.Namespace) -> str:
    """ONNX Runtime's people against those of the published graph, joints that count and faint ones."""
    photos = args.photos / IMAGES if args.photos else None
    videos = [args.videos] if args.videos else []
    rows = [pose_equality.compare(videos, photos, args.every, 256, least, "onnx") for least in (0.2, 0.05)]
    return pose_equality.table(rows)


def zoom(args: argparse.Namespace) -> str:
    """Small people with and without the second look."""
    found = small_people.measure(video(args, SMALL), args.most_frames, args.photos, args.most_photos, ZOOM_SIZE)
    return small_people.table(found)


def crops(args: argparse.Namespace) -> str:
    """Thunder on crops beside MultiPose."""
    return top_down.table(top_down.measure(video(args, TWO), args.most_frames, args.photos, args.most_photos, CROP_SIZE))


def steady(args: argparse.Namespace) -> str:
    """Tremble and lag of the smoothing's settings."""
    videos = [str(args.videos / name) for name in STEADY if (args.videos / name).is_file()]
    return steadiness.table(steadiness.measure(videos, 256, args.most_frames))


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "measured": measured,
    "equality": equality,
    "zoom": zoom,
    "crops": crops,
    "steady": steady,
}
OF_VIDEOS = ("steady",)  # the others can be made of photos alone


def video(args: argparse.Namespace, name: str) -> str:
    """Its path; empty where it is not there."""
    path = args.videos / name if args.videos else Path(name)
    return str(path) if path.is_file() else ""


def heading(args: argparse.Namespace, part: str) -> str:
    """On what, when and how; what `equality` looks at stands in its table."""
    used = [f"at most {args.most_photos} photos" if args.most_photos else "all photos"] if part not in OF_VIDEOS else []
    used += [f"{args.most_frames} frames of a video"] if part != "measured" else []
    seen = f"{', '.join(used)}; " if part != "equality" else ""
    return f"*{machine()}, load {os.getloadavg()[0]:.1f}; {seen}{datetime.date.today()}.*"


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, metavar="DIR", help="labelled photos")
    parser.add_argument("--videos", type=Path, metavar="DIR", help=f"holds {', '.join(STEADY)}")
    parser.add_argument("--parts", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="(default: all)")
    parser.add_argument("--most-photos", type=int, default=0, help="score on so many only (default: all)")
    parser.add_argument("--most-frames", type=int, default=150, help="of a video (default: %(default)s)")
    parser.add_argument("--every", type=int, default=60, help="equality: one frame and photo of so many")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=pose_choice.ROUNDS, help="how often times are taken")
    parser.add_argument("--out", type=Path, default=Path("out/bench/pose_choice"), help="folder (default: %(default)s)")
    parser.add_argument("--docs", type=Path, metavar="FILE.md", help="put the tables into this page, between their marks")
    return parser


def main() -> None:
    args = arguments().parse_args()
    try:
        for part in args.parts if args.docs else ():
            marked(args.docs, part)  # before hours are spent
        for part in args.parts:
            if not args.videos and (part in OF_VIDEOS or not args.photos):
                wanted = "--videos DIR" if part in OF_VIDEOS else "--videos DIR or --photos DIR"
                print(f"{part} is left out: give {wanted}", file=sys.stderr)
                continue
            text = f"{heading(args, part)}\n\n{PARTS[part](args)}"
            print(f"\n{text}", flush=True)
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"{part}.md").write_text(text + "\n", encoding="utf-8")
            if args.docs:
                write_part(args.docs, part, text)
    except UserError as error:
        raise SystemExit(f"pose_page: {error}") from None


if __name__ == "__main__":
    main()
