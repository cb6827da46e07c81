"""How people fall: what makes them lose their balance, what their muscles still do, and what stands in their way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.data.simulated import kneeling, lying, poses, scripts, sitting, standing
from pose_attention_ros.data.simulated.body import BONE, INDEX, JOINTS, ROOT, Body, directions_of, frames_of, from_root
from pose_attention_ros.data.simulated.poses import pose, tilt_and_directions
from pose_attention_ros.data.simulated.ragdoll import Tumbles, tumble
from pose_attention_ros.data.simulated.track import FPS, Track, smoothed

LONGEST_S = 4.5  # simulated of a fall
_STILL_M_S = 0.15
_STILL_S = 0.5
_SUNK_M = -0.01  # a hand or foot may be pressed this far into the floor
_ATTEMPTS = 3
_WATCHED = [INDEX[name] for name in ("hip_center", "neck", "head", "left_knee", "right_knee", "left_wrist", "right_wrist")]
_NO_BOX, _NO_WALL = (0.0,) * 6, (1.0, 0.0, -100.0)
_UPPER = [
    INDEX[name]
    for name in (
        "neck",
        "head",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hand",
        "right_hand",
    )
]
_PELVIS = [INDEX[name] for name in ("hip_center", "left_hip", "right_hip", "spine")]
_SHOES = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
STARTS = {"stand": 0.28, "walk": 0.26, "chair": 0.15, "bed": 0.1, "rising": 0.12, "busy": 0.09}
_ONTO_A_BED = 0.2  # share of the falls from standing and walking that end on something as high as a bed
_CAUSES_BESIDE_A_BED = ("topple", "collapse", "faint", "slump")
CAUSES = {"topple": 0.35, "slip": 0.15, "collapse": 0.17, "faint": 0.09, "slump": 0.24}


@dataclass(eq=False)
class Beginning:
    """The motion before one fall and how it is lost: joints (n, 20, 3), labels (n,), and the row of `Tumbles`."""

    body: Body
    joints: np.ndarray
    labels: list[str]
    row: dict[str, np.ndarray]
    cause: str


def begin(rng: np.random.Generator, body: Body) -> Beginning:
    """Everything up to the moment at which the balance is lost."""
    start = str(rng.choice(list(STARTS), p=list(STARTS.values())))
    track = _before(rng, body, start)
    joints = track.placed()
    cause = {"chair": str(rng.choice(["tip", "slide"])), "bed": "roll"}.get(start) or str(
        rng.choice(list(CAUSES), p=list(CAUSES.values()))
    )
    if start == "walk" and rng.uniform() < 0.5:
        cause = "trip"
    bed = cause in _CAUSES_BESIDE_A_BED and start in ("stand", "walk", "busy") and rng.uniform() < _ONTO_A_BED
    beginning = Beginning(body, joints, track.labels, _row(rng, body, joints, cause, track, bed), cause)
    if cause == "roll":
        _roll_out(rng, beginning, float(track.supports[-1][-1][0]))
    return beginning


def _before(rng: np.random.Generator, body: Body, start: str) -> Track:
    yaw = rng.uniform(-180, 180)
    if start in ("chair", "bed"):
        track = scripts.begun(rng, body, "seated" if start == "chair" else "bed", yaw)
        scripts.go_on_with(track, sitting.sit if start == "chair" else lying.lie, rng.uniform(1.0, 4.0))
        return track
    rises = {sitting.stand_up: "seated", lying.get_up: "lying", sitting.sit_down: "standing"}
    busy = (standing.pick_up, standing.reach_up, standing.crouch, kneeling.kneel_down, standing.lean_on, standing.stumble)
    if start == "rising":
        last = list(rises)[rng.integers(len(rises))]
        track = scripts.begun(rng, body, rises[last], yaw)
    else:
        last = {"stand": standing.stand, "walk": standing.walk}.get(start) or busy[rng.integers(len(busy))]
        track = scripts.begun(rng, body, "standing", yaw)
    first = {"seated": sitting.sit, "lying": lying.lie}.get(rises.get(last, ""), standing.walk)
    scripts.go_on_with(track, first, rng.uniform(0.3, 2.5))
    before = len(track)
    last(track)
    low, high = (0.45, 0.9) if start == "rising" else (0.35, 1.0)
    track.cut(before + max(2, int((len(track) - before) * rng.uniform(low, high))))
    return track


def _row(
    rng: np.random.Generator, body: Body, joints: np.ndarray, cause: str, track: Track, bed: bool
) -> dict[str, np.ndarray]:
    """One body's row of every array of `Tumbles`.

    :param bed: whether something as high as a bed stands where it falls
    """
    frame = frames_of(joints[-1])
    facing = np.arctan2(frame[2, 2], frame[0, 2])
    speed = (joints[-1] - joints[-2]) * FPS
    way = _direction(rng, cause)
    heading = facing + way
    ahead = np.array([np.cos(heading), 0, np.sin(heading)])
    aware = rng.uniform() < (0.0 if cause == "faint" else 0.25 if cause == "collapse" else 0.75)
    buckling = cause in ("collapse", "faint", "slump") or rng.uniform() < 0.35
    tones = np.array(
        [
            rng.uniform(0.15, 0.8),
            rng.uniform(0, 0.06) if buckling else rng.uniform(0.4, 1.0),
            rng.uniform(0.3, 0.8) if aware else rng.uniform(0, 0.05),
        ]
    )
    if cause == "faint":
        tones *= 0.15
    pushes = np.zeros((len(JOINTS), 3))
    strength = rng.uniform(1.2, 4.5) * {"collapse": 0.35, "faint": 0.4, "slump": 0.5}.get(cause, 1.0)
    pushes[_UPPER] += strength * ahead
    if cause == "slip":
        pushes[_SHOES] -= rng.uniform(6, 14) * ahead
        pushes[_UPPER] *= 0.4
    elif cause == "trip":
        pushes[_SHOES[:2] if rng.uniform() < 0.5 else _SHOES[2:]] -= rng.uniform(10, 25) * ahead
    elif cause == "slide":
        pushes[_PELVIS] += rng.uniform(4, 7) * ahead
        pushes[_UPPER] *= -0.15
    elif cause == "roll":
        pushes[:] = rng.uniform(1.5, 3.0) * ahead
        pushes[_UPPER] += 0.4 * ahead
    if cause not in ("slide", "roll") and rng.uniform() < 0.35:  # rotating while falling
        spin = rng.choice([-1, 1]) * rng.uniform(4, 14)
        pushes += spin * np.cross((0, 1, 0), joints[-1] - joints[-1][ROOT])
    gravity = rng.uniform(0.14, 0.45) if cause == "slump" else rng.uniform(0.35, 0.95) if aware else rng.uniform(0.9, 1.0)
    if cause == "slide":
        gravity = rng.uniform(0.4, 1.0)
    wall = _NO_WALL
    if bed:
        pushes[_UPPER + _PELVIS] += rng.uniform(3.0, 7.0) * ahead
        pushes[_PELVIS, 1] += rng.uniform(0, 3)
    elif cause not in ("slide", "roll", "tip") and rng.uniform() < 0.2:
        normal = -ahead
        nearest_m = float((joints[-1] @ normal - body.radii_m).min())
        wall = (normal[0], normal[2], nearest_m - rng.uniform(0.02, 0.4))
    goals = tilt_and_directions(_striving(rng, cause, way, aware, buckling)[None])[1][0]
    straight = tilt_and_directions(pose()[None])[1][0]
    return {
        "joints": joints[-1],
        "speeds": speed,
        "rest": _straight(straight, body),
        "radii_m": body.radii_m,
        "heights_m": np.array(body.height_m),
        "goals": from_root(goals, body.lengths_m),
        "tones": tones,
        "relaxed": from_root(tilt_and_directions(_relaxed(rng)[None])[1][0], body.lengths_m),
        "fading_s": np.array(rng.uniform(0.25, 0.9)),
        "pushes": pushes,
        "push_s": np.array(rng.uniform(0.2, 0.4) if cause != "slide" else rng.uniform(0.6, 1.0)),
        "gravity": np.array(gravity),
        "slip": np.array(rng.uniform(0.02, 0.1) if cause == "slip" else 0.7),
        "box": np.array(
            _bed(rng, joints[-1], heading) if bed else _furniture(rng, body, joints[-1], heading, facing, cause, track)
        ),
        "wall": np.array(wall),
    }


def _straight(directions: np.ndarray, body: Body) -> np.ndarray:
    """Joints of the body with everything stretched: the distances that limits are shares of."""
    directions = directions.copy()
    directions[BONE["head"]] = (0, 0.91, 0.41)
    return from_root(directions, body.lengths_m)


def _direction(rng: np.random.Generator, cause: str) -> float:
    """Radians from where the person faces, towards its right."""
    quarter = np.pi / 2
    if cause == "trip":
        return float(rng.normal(0, 0.3))
    if cause == "slide":
        return float(rng.normal(0, 0.15))
    if cause == "tip":
        return float(rng.choice([0.0, quarter, -quarter, 0.6 * quarter, -0.6 * quarter]) + rng.normal(0, 0.2))
    if cause == "slip":
        return float(rng.choice([np.pi, np.pi, quarter, -quarter, 0.0]) + rng.normal(0, 0.3))
    if cause == "roll":
        return float(rng.choice([-1, 1]))  # not an angle: which edge
    return float(rng.uniform(-np.pi, np.pi))


def _striving(rng: np.random.Generator, cause: str, way: float, aware: bool, buckling: bool) -> np.ndarray:
    """The pose that the muscles want while falling."""
    ahead, aside = np.cos(way), np.sin(way)
    angles = pose(poses.STAND, arm_abd=rng.uniform(5, 35), elbow=rng.uniform(10, 60), spine_flex=rng.uniform(0, 25))
    if buckling:
        bent = rng.uniform(40, 100)
        angles = pose(angles, hip_flex=0.8 * bent, knee=bent)
    if aware and cause != "slide":
        flail = rng.uniform(60, 130)
        if ahead > 0.6:
            angles = pose(angles, arm_flex=rng.uniform(60, 110), elbow=rng.uniform(10, 60), arm_abd=rng.uniform(0, 30))
        elif ahead < -0.6:
            angles = pose(
                angles,
                arm_flex=rng.uniform(-50, 60),
                arm_abd=rng.uniform(20, 60),
                neck_flex=25,
                spine_flex=25,
                hip_flex=rng.uniform(20, 70),
            )
        else:
            far, near = ("l", "r") if aside > 0 else ("r", "l")
            angles = pose(angles, **{f"arm_abd_{near}": rng.uniform(50, 100), f"elbow_{near}": 25, f"arm_abd_{far}": flail})
    if cause == "slide":
        angles = pose(angles, pitch=0, hip_flex=rng.uniform(30, 70), knee=rng.uniform(30, 90), spine_flex=30)
    elif cause in ("tip", "roll") or rng.uniform() < 0.25:
        curl = rng.uniform(0.2, 0.9)
        angles = pose(angles, hip_flex=95 * curl, knee=105 * curl, spine_flex=30 * curl)
    return poses.jittered(angles, rng, 10.0)


def _relaxed(rng: np.random.Generator) -> np.ndarray:
    """How limbs come to rest: mostly stretched, arms anywhere, sometimes curled up."""
    angles = pose(poses.STAND, spine_flex=rng.uniform(-5, 25))
    curl = rng.uniform(0.4, 1.0) if rng.uniform() < 0.2 else 0.0
    for side in ("l", "r"):
        bent = rng.uniform(0, 40) * (rng.uniform() < 0.6)
        angles = pose(
            angles,
            **{
                f"hip_flex_{side}": 0.5 * bent + 90 * curl,
                f"knee_{side}": bent + 95 * curl,
                f"hip_abd_{side}": rng.uniform(0, 25),
                f"arm_abd_{side}": rng.uniform(5, 130),
                f"elbow_{side}": rng.uniform(5, 80),
                f"arm_flex_{side}": rng.uniform(-10, 50),
            },
        )
    return angles


def _furniture(
    rng: np.random.Generator, body: Body, joints: np.ndarray, heading: float, facing: float, cause: str, track: Track
) -> tuple[float, ...]:
    """The chair or bed that is fallen from."""
    height_m = float(track.supports[-1][-1][0])
    if cause in ("tip", "slide"):
        edge_m = rng.uniform(0.25, 0.45) * body.lengths_m[BONE["left_knee"]]
        half_m = 0.22
        centre = joints[ROOT, (0, 2)] + (edge_m - half_m) * np.array([np.cos(facing), np.sin(facing)])
        return (*centre, half_m, rng.uniform(0.2, 0.3), facing, height_m)
    return _NO_BOX


def _bed(rng: np.random.Generator, joints: np.ndarray, heading: float) -> tuple[float, ...]:
    """A bed or sofa whose edge is near, in the direction of the fall."""
    half_m = rng.uniform(0.4, 0.95)
    way = np.array([np.cos(heading), np.sin(heading)])
    centre = joints[ROOT, (0, 2)] + (rng.uniform(0.06, 0.2) + half_m) * way
    return (*centre, half_m, 1.2, heading, rng.uniform(0.3, 0.52))


def borne_m(joints: np.ndarray, box: np.ndarray) -> float:
    """Height of what is below the pelvis of (20, 3) joints: of the furniture `box` (6,), or 0 for the floor."""
    x, z, depth, width, way, height_m = box
    along, across = (joints[ROOT, (0, 2)] - (x, z)) @ np.array([[np.cos(way), -np.sin(way)], [np.sin(way), np.cos(way)]])
    return float(height_m) if abs(along) < depth and abs(across) < width and joints[ROOT, 1] > 0.8 * height_m else 0.0


def _roll_out(rng: np.random.Generator, beginning: Beginning, height_m: float) -> None:
    """Sets the bed's edge beside the body and pushes over it."""
    joints, row = beginning.joints[-1], beginning.row
    along = joints[INDEX["neck"]] - joints[ROOT]
    across = np.arctan2(along[2], along[0]) + (np.pi / 2 if rng.uniform() < 0.5 else -np.pi / 2)
    ahead = np.array([np.cos(across), np.sin(across)])
    half_m, edge_m = 0.6, rng.uniform(0.05, 0.18)
    row["box"] = np.array([*(joints[ROOT, (0, 2)] + (edge_m - half_m) * ahead), half_m, 1.3, across, height_m])
    push = rng.uniform(2.0, 4.0) * (0.6 + (joints[:, 1] - joints[:, 1].min()) / 0.3)
    row["pushes"] = np.stack([push * ahead[0], 0 * push, push * ahead[1]], -1)
    row["push_s"] = np.array(rng.uniform(0.5, 0.8))


def simulate(beginnings: list[Beginning]) -> list[np.ndarray]:
    """The joints (k, 20, 3) of every fall from the moment of losing balance until half a second of stillness. Whoever is not
    down by then falls again, weaker and pushed harder."""
    found: list[np.ndarray | None] = [None] * len(beginnings)
    for attempt in range(_ATTEMPTS):
        upright = [k for k, fall in enumerate(found) if fall is None]
        if not upright:
            break
        rows = [_harder(beginnings[k].row, attempt) for k in upright]
        paths = tumble(Tumbles(**{name: np.stack([row[name] for row in rows]) for name in rows[0]}), int(LONGEST_S * FPS))
        for k, path in zip(upright, paths, strict=True):
            path = _exact(path.astype(float), beginnings[k].body)
            box = beginnings[k].row["box"]
            end = _settled(path, borne_m(path[-1], box))
            if _down(path[end - 1], beginnings[k].body, borne_m(path[end - 1], box)) or attempt == _ATTEMPTS - 1:
                found[k] = path[:end]
    return [fall for fall in found if fall is not None]


def _harder(row: dict[str, np.ndarray], attempt: int) -> dict[str, np.ndarray]:
    """The same fall with weaker muscles and a stronger push, at last with nothing in the way."""
    if not attempt:
        return row
    last = attempt == _ATTEMPTS - 1
    return row | {
        "tones": row["tones"] * (0 if last else 0.15),
        "pushes": row["pushes"] * (1 + 0.7 * attempt),
        "gravity": np.maximum(row["gravity"], 0.8 if last else 0.5),
        "wall": np.array(_NO_WALL),
        "box": np.array(_NO_BOX) if last else row["box"],
    }


def _exact(path: np.ndarray, body: Body) -> np.ndarray:
    """The path with bones of exactly the body's lengths, and blows as soft as flesh makes them."""
    path = smoothed(path, 1.0)
    joints = from_root(directions_of(path), body.lengths_m) + path[:, ROOT : ROOT + 1]
    joints[..., 1] += np.maximum(0, _SUNK_M - joints[..., 1].min(1, keepdims=True))
    return joints


def _settled(path: np.ndarray, floor_m: float) -> int:
    """Number of frames until trunk, knees and hands have been still, and the pelvis low above `floor_m`, for `_STILL_S`."""
    speed = np.linalg.norm(np.diff(smoothed(path[:, _WATCHED], 1.5), axis=0), axis=-1).max(1) * FPS
    busy = np.flatnonzero((speed > _STILL_M_S) | (path[1:, ROOT, 1] - floor_m > 0.6 * path[:15, ROOT, 1].max()))
    still = round(_STILL_S * FPS)
    gaps = np.flatnonzero(np.diff([*busy, len(path) + still]) > still) if len(busy) else []
    return min(len(path), int(busy[gaps[0]]) + 2 + still) if len(gaps) else len(path)


def _down(joints: np.ndarray, body: Body, floor_m: float) -> bool:
    """Whether the body lies or sits on what is at `floor_m`."""
    heights = joints[[ROOT, INDEX["neck"]], 1] - floor_m
    return bool(heights[0] < 0.17 * body.height_m and heights[1] < 0.42 * body.height_m)
