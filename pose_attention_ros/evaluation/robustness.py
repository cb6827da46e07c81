"""What rough conditions cost: the same clips, each changed in one way, through the same path. m frames, V joints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.core.body.layouts import PARTS, Layout
from pose_attention_ros.data.augment import UNIT_PX, AugmentConfig, Surroundings, correlated, estimate, mirrored
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.streams import Stream, sampled
from pose_attention_ros.evaluation.clips import Change, ClipResults, ShownClip, run_clips
from pose_attention_ros.evaluation.metrics import NO_CLASS, rounded

# MoveNet MultiPose at 320 px, in torso lengths, as benchmarks/pose_noise.py measured it: standard deviation of what is new
# in every frame, on gymnasts (a torso of 29 px) and on pedestrians seen from above (25 px), and the deviation from
# hand-annotated joints on COCO photos.
TREMBLE = {"head": 0.0085, "shoulder": 0.012, "elbow": 0.037, "wrist": 0.057, "hip": 0.011, "knee": 0.011, "ankle": 0.009}
TREMBLE_SMALL = {
    "head": 0.037,
    "shoulder": 0.051,
    "elbow": 0.063,
    "wrist": 0.082,
    "hip": 0.049,
    "knee": 0.053,
    "ankle": 0.051,
}
ERROR = {"head": 0.038, "shoulder": 0.074, "elbow": 0.058, "wrist": 0.065, "hip": 0.098, "knee": 0.09, "ankle": 0.11}
ERROR_TIME_S = 1.0  # an error follows the pose: it stays for about this long
_NEAR_UNITS = 5.0  # how far the tilted camera is
_ESTIMATOR = AugmentConfig(cut_legs=0.0, cut_hips=0.0, occlusion=0.0, offset=0.0)
STAMP_ERROR = 0.3  # spread of a stamp's error, as a share of the time between frames


def at_rate(clip: ShownClip, fps: float) -> ShownClip:
    """The clip as a camera of `fps` frames a second sees it."""
    time_s = np.arange(int((clip.time_s[-1] - clip.time_s[0]) * fps + 1e-6) + 1) / fps + clip.time_s[0]
    nothing = np.zeros(len(clip.time_s))
    whole = Stream(clip.time_s, clip.keypoints, clip.scores > 0, nothing, nothing > 0)
    seen = sampled(whole, time_s)
    nearest = np.abs(clip.time_s[None] - time_s[:, None]).argmin(1)
    return dataclasses.replace(clip, time_s=time_s, keypoints=seen.keypoints, scores=clip.scores[nearest])


def half_dropped(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
    """Every frame but the first is lost with probability one half."""
    kept = rng.uniform(size=len(clip.time_s)) < 0.5
    kept[0] = True
    return dataclasses.replace(clip, time_s=clip.time_s[kept], keypoints=clip.keypoints[kept], scores=clip.scores[kept])


def jittered(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
    """Frames taken evenly, with stamps that are not."""
    period_s = float(np.median(np.diff(clip.time_s))) if len(clip.time_s) > 1 else 0.0
    error_s = np.clip(rng.standard_normal(len(clip.time_s)) * STAMP_ERROR, -0.45, 0.45) * period_s
    error_s[0] = 0
    return dataclasses.replace(clip, time_s=clip.time_s + error_s)


def noisy(tremble: dict[str, float], error: dict[str, float] | None = None) -> Change:
    """Noise that is new in every frame, and errors that stay for a while; both in body units by kind of joint."""

    def change(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
        noise = rng.standard_normal(clip.keypoints.shape) * _by_joint(tremble, layout)
        if error is not None:
            elapsed_s = np.diff(clip.time_s, prepend=clip.time_s[0])[None]
            noise += correlated(rng, elapsed_s, ERROR_TIME_S, clip.keypoints.shape[1:])[0] * _by_joint(error, layout)
        return dataclasses.replace(clip, keypoints=(clip.keypoints + noise * clip.unit_px).astype(np.float32))

    return change


def one_limb_missing(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
    """An arm (elbow and wrist) or a leg (knee and ankle) is never seen."""
    limb = layout.part_indices == rng.choice([PARTS.index(part) for part in PARTS if "arm" in part or "leg" in part])
    return dataclasses.replace(clip, scores=np.where(limb, 0, clip.scores).astype(np.float32))


def in_a_mirror(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
    keypoints, scores = mirrored(clip.keypoints, clip.scores, layout)
    return dataclasses.replace(clip, keypoints=keypoints, scores=scores)


def joints_missing(*ends: str) -> Change:
    """Joints whose names end so are never seen."""

    def change(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
        gone = np.array([joint.endswith(ends) for joint in layout.joints])
        return dataclasses.replace(clip, scores=np.where(gone, 0, clip.scores).astype(np.float32))

    return change


def at_the_edge(side: int, share: float = 0.0, furniture: float = 0.0, unit_input_px: float = 45.0) -> Change:
    """Seen by the simulated estimator with an edge of the image through the person, and something before the lower body.

    :param side: which of x0, y0, x1, y1 cuts; :param share: how much of the person's extent it leaves out, 0: nothing
    :param furniture: how much of the extent is hidden, from below
    :param unit_input_px: pixels of the pose network's input a body unit
    """

    def change(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
        seen = clip.keypoints[clip.scores > 0]
        if not len(seen):
            return clip
        to_unit = UNIT_PX / clip.unit_px
        low, high = seen.min(0) * to_unit, seen.max(0) * to_unit
        window = np.concatenate([low - UNIT_PX, high + UNIT_PX])
        extent = high - low
        if share:
            window[side] = (low + share * extent)[side] if side < 2 else (high - share * extent)[side - 2]
        hidden = np.array([low[0] - UNIT_PX, high[1] - furniture * extent[1], high[0] + UNIT_PX, high[1] + UNIT_PX])
        around = Surroundings(window[None], hidden[None] if furniture else np.zeros((1, 4)), np.array([unit_input_px]))
        elapsed_s = np.diff(clip.time_s, prepend=clip.time_s[0])[None]
        keypoints, scores = estimate(
            rng, clip.keypoints[None] * to_unit, clip.scores[None] > 0, elapsed_s, layout, _ESTIMATOR, around
        )
        return dataclasses.replace(clip, keypoints=(keypoints[0] / to_unit).astype(np.float32), scores=scores[0])

    return change


def tilted(elevation_deg: float) -> Change:
    """A camera that looks down on (above 0) or up at the person, from near: upright lengths shrink, and the end that is
    farther away looks smaller. The body is taken to be flat, as it was in the image."""

    def change(clip: ShownClip, rng: np.random.Generator, layout: Layout) -> ShownClip:
        seen = clip.keypoints[clip.scores > 0]
        if not len(seen):
            return clip
        middle = np.median(seen, 0)
        x, y = np.moveaxis((clip.keypoints - middle) / clip.unit_px, -1, 0)
        angle = np.deg2rad(elevation_deg)
        nearness = 1 / np.maximum(1 + y * np.sin(angle) * -1 / _NEAR_UNITS, 0.3)
        flat = np.stack([x * nearness, y * np.cos(angle) * nearness], -1)
        return dataclasses.replace(clip, keypoints=(flat * clip.unit_px + middle).astype(np.float32))

    return change


def _by_joint(table: dict[str, float], layout: Layout) -> np.ndarray:
    """(V, 1): the table's value by the end of a joint's name; the shoulders' for a joint it does not know."""
    return np.array(
        [
            [next((value for end, value in table.items() if joint.endswith(end)), table["shoulder"])]
            for joint in layout.joints
        ]
    )


CHANGES: dict[str, Change] = {
    "half of the frames dropped": half_dropped,
    "stamps jittered by 30 %": jittered,
    "30 fps": lambda clip, rng, layout: at_rate(clip, 30.0),
    "10 fps": lambda clip, rng, layout: at_rate(clip, 10.0),
    "MoveNet's tremble": noisy(TREMBLE),
    "MoveNet's tremble on small people": noisy(TREMBLE_SMALL),
    "MoveNet's tremble and error": noisy(TREMBLE, ERROR),
    "one limb missing": one_limb_missing,
    "hips, knees and ankles missing": joints_missing("hip", "knee", "ankle"),
    "all but the legs missing": joints_missing("head", "shoulder", "elbow", "wrist"),
    "feet below the image": at_the_edge(3, 0.2),
    "legs below the image": at_the_edge(3, 0.5),
    "leaving at the side": at_the_edge(2, 0.4),
    "a table before the legs": at_the_edge(3, furniture=0.45),
    "60 pixels tall": at_the_edge(3, unit_input_px=10.0),
    "a camera that looks up by 35 degrees": tilted(-35.0),
    "a camera that looks down by 35 degrees": tilted(35.0),
    "mirrored": in_a_mirror,
}


def robustness(
    recogniser: Recogniser,
    data: SkeletonDataset,
    targets: dict[int, int],
    plain: ClipResults,
    seed: int,
    done: Callable[[int], None] = lambda clips: None,
) -> dict[str, dict]:
    """Accuracy under each of CHANGES, and what it costs in points with a 95 % interval over the clips.

    :param plain: the same clips unchanged
    """
    known = {row: target for row, target in targets.items() if target != NO_CLASS}
    before = _right(plain)
    table = {}
    for name, change in CHANGES.items():
        after = _right(run_clips(recogniser, data, known, done, change, seed))
        cost = 100 * (before.astype(float) - after)
        low, high = bootstrap(cost, seed)
        table[name] = {
            "accuracy": rounded(after.mean()),
            "cost_points": rounded(cost.mean()),
            "cost_low": rounded(low),
            "cost_high": rounded(high),
        }
    return table


def bootstrap(values: np.ndarray, seed: int, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean of (N,) values, by drawing them again."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(draws)] if len(values) else [np.nan]
    return tuple(np.quantile(means, [0.025, 0.975]))


def _right(results: ClipResults) -> np.ndarray:
    known = results.truth != NO_CLASS
    return results.logits[known, -1].argmax(-1) == results.truth[known]
