"""Whether a runtime finds the people whom the published MoveNet finds: LiteRT with the graph's own decoding against another
with ours, on frames of videos and on photos.

    python -m benchmarks.pose_equality --videos DIR_OR_FILE... --photos DIR --every 50 --json out/equality.json

The published graph gives six people at most, so of ours the six most certain centres are compared. Joints in pixels of the
input; those whose score is below --least-joint in both count for nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.inference import movenet_network, weights
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.litert import LiteRtNetwork
from pose_attention_ros.inference.movenet_decoding import RawPeople, decode
from pose_attention_ros.inference.movenet_runtimes import open_heads
from pose_attention_ros.inference.pose import STRIDE, PoseConfig

PUBLISHED_PEOPLE, LEAST_PERSON, LEAST_JOINT = 6, 0.15, 0.2
JOINTS_PX, SCORES = 0.5, 0.01  # what counts as the same
SUFFIXES = (".mp4", ".avi")


def images(videos: Sequence[Path], photos: Path | None, every: int) -> Iterator[tuple[str, np.ndarray]]:
    """Every so many of the frames of each video, and of the photos by name."""
    files = [file for path in videos for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    for file in (file for file in files if file.suffix in SUFFIXES):
        camera = open_source(str(file), CameraConfig())
        try:
            for number, frame in enumerate(iter(camera.read, None)):
                if number % every == every // 2:
                    yield file.name, frame.image_bgr
        finally:
            camera.close()
    for file in sorted(photos.iterdir())[::every] if photos else ():
        if (image := read_image(file)) is not None:
            yield "photos", image


def published_people(network: LiteRtNetwork, image_bgr: np.ndarray, box: Letterbox) -> RawPeople:
    """What the published graph says itself."""
    import cv2

    batch = np.zeros((1, *box.input_size[::-1], 3), np.uint8)
    small = cv2.resize(image_bgr, box.content_size, interpolation=cv2.INTER_LINEAR)
    batch[0][box.slices] = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    rows = network(batch)[0][0]
    joints = rows[:, :51].reshape(-1, 17, 3)
    return RawPeople(joints[..., 1::-1], joints[..., 2], rows[:, 51:55].reshape(-1, 2, 2)[..., ::-1], rows[:, 55])


def differences(wanted: RawPeople, got: RawPeople, box: Letterbox, least_joint: float) -> Iterator[tuple[float, float]]:
    """For each person whom the published graph is sure of: the farthest joint and the largest difference of scores, to
    whoever of the others is nearest; infinite where there is nobody."""
    for row in np.flatnonzero(wanted.person_scores >= LEAST_PERSON):
        counted = np.maximum(wanted.scores[row], got.scores) >= least_joint
        apart = np.linalg.norm((wanted.keypoints[row] - got.keypoints) * box.input_size, axis=-1)
        farthest = np.where(counted, apart, 0).max(1, initial=0)
        if not len(farthest):
            yield np.inf, np.inf
            continue
        nearest = farthest.argmin()
        scores = np.abs(wanted.scores[row] - got.scores[nearest])
        yield float(farthest[nearest]), float(max(scores.max(), abs(wanted.person_scores[row] - got.person_scores[nearest])))


def compare(
    videos: Sequence[Path], photos: Path | None, every: int, input_size: int, least_joint: float, runtime: str
) -> dict[str, float | int | str]:
    """How many people there are, the share of them who are the same, and the largest differences. Raises UserError."""
    heads = open_heads(PoseConfig(runtime=runtime, input_size=input_size))
    published = LiteRtNetwork(weights.load(movenet_network.WEIGHTS), 1)
    found, seen = [], set()
    for source, image in images(videos, photos, every):
        box = Letterbox.fit(image.shape[1::-1], input_size, STRIDE)
        view = heads.view(box.input_size)
        view.write(image, box)
        got = decode(view(), most_people=PUBLISHED_PEOPLE)
        found += differences(published_people(published, image, box), got, box, least_joint)
        seen.add(source)
    if not found:
        raise UserError("there is nobody to compare: give --videos or --photos with people, or a smaller --every")
    joints_px, scores = np.array(found).T
    same = (joints_px <= JOINTS_PX) & (scores <= SCORES)
    return {
        "sources": len(seen),
        "people": len(found),
        "same": int(same.sum()),
        "farthest_px": float(joints_px.max()),
        "scores": float(scores.max()),
        "every": every,
        "least_joint": least_joint,
        "input_size": input_size,
        "runtime": runtime,
    }


def table(rows: Sequence[dict]) -> str:
    """As Markdown."""
    lines = [
        f"| one frame or photo of every | joints with a score of | people | the same: joints within {JOINTS_PX} px of the "
        f"input, scores within {SCORES} | farthest joint, px | scores |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['every']} | {row['least_joint']} | {row['people']} | "
            f"{row['same']} ({row['same'] / row['people']:.2%}) | {row['farthest_px']:.4f} | {row['scores']:.4f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, nargs="*", default=[])
    parser.add_argument("--photos", type=Path, help="a folder of images")
    parser.add_argument("--every", type=int, default=50, help="one of so many frames of a video, and of so many photos")
    parser.add_argument("--input-size", type=int, default=256)
    parser.add_argument("--least-joint", type=float, default=LEAST_JOINT, help="as the graph stage's min_joint_score")
    parser.add_argument("--runtime", default="onnx")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        result = compare(args.videos, args.photos, args.every, args.input_size, args.least_joint, args.runtime)
    except UserError as error:
        raise SystemExit(f"pose_equality: {error}") from None
    print(table([result]))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
