"""Confidence maps and part-affinity fields to people: peaks, line integrals, assignment, assembly.

Source: Cao, Simon, Wei, Sheikh, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017), their
section 2. Ours: peaks are refined between the cells, so that maps need no enlarging; limbs are assigned by the Hungarian
method; people grow from their surest limbs. Everything but that last step is one numpy expression for all limbs and people.

V joints, L limbs, H x W cells. A position is (x, y) in cells, (0, 0) the outer corner of the first cell, so that the value
of row i and column j stands for (j + 0.5, i + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.people.assignment import assign

_EARLIER = ((-1, -1), (-1, 0), (-1, 1), (0, -1))  # neighbours before a cell in reading order
_LATER = tuple((-row, -column) for row, column in _EARLIER)
# A neighbour this much lower than the peak no longer tells where between the cells a Gaussian of about a cell's width lies.
_LEAST_NEIGHBOUR = 0.05


@dataclass(frozen=True)
class DecodeConfig(Settings):
    """How certain peaks and limbs must be; a network's model.json may carry its own values."""

    peak_score: float = setting(0.1, "a confidence below this is no joint", low=0.001, high=1.0)
    limb_score: float = setting(
        0.05, "a field that points along a limb by less than this does not support it", low=0.0, high=1.0
    )
    limb_agreement: float = setting(0.6, "share of a limb's samples that must support it", low=0.0, high=1.0)
    limb_length: float = setting(
        0.5, "share of the maps' longer side above which a limb counts the less the longer it is", low=0.01, high=10.0
    )
    limb_samples: int = setting(10, "samples along a limb", low=2, high=100)
    most_peaks: int = setting(40, "peaks of one joint that are considered, the highest first", low=1, high=1000)
    least_joints: int = setting(3, "a person has at least so many joints", low=1, high=100)


@dataclass(frozen=True, eq=False)
class People:
    """What the maps show, the most certain person first.

    keypoints (N, V, 2) float32, x and y as fractions of the map's width and height; scores (N, V) float32 in [0, 1], 0 for
    a missing joint, whose position is 0; person_scores (N,) float32 in [0, 1].
    """

    keypoints: np.ndarray
    scores: np.ndarray
    person_scores: np.ndarray

    def __len__(self) -> int:
        return len(self.keypoints)


@dataclass(frozen=True, eq=False)
class Peaks:
    """K local maxima, sorted by joint: joint (K,) int64, xy (K, 2) float32 cells, score (K,) float32 in [0, 1]."""

    joint: np.ndarray
    xy: np.ndarray
    score: np.ndarray


@dataclass(frozen=True, eq=False)
class Connections:
    """C limbs found: first, second (C,) int64 rows of Peaks; score (C,) float32, the mean of the field along the limb."""

    first: np.ndarray
    second: np.ndarray
    score: np.ndarray


def decode(confidence: np.ndarray, affinity: np.ndarray, layout: Layout, config: DecodeConfig | None = None) -> People:
    """The people of one image.

    :param confidence: (V or more, H, W) float32; maps after the V-th (background) are not read
    :param affinity: (2 L, H, W) float32; maps 2l and 2l + 1 are x and y of limb l, a unit vector from its first joint to
        its second
    :param layout: names the V joints and L limbs
    :raises ValueError: the maps do not fit the layout
    """
    joints, limbs = len(layout.joints), len(layout.limbs)
    if len(confidence) < joints or len(affinity) != 2 * limbs or confidence.shape[1:] != affinity.shape[1:]:
        raise ValueError(
            f"maps {confidence.shape} and {affinity.shape} do not fit layout {layout.name!r}: expected at "
            f"least {joints} and exactly {2 * limbs} maps of one size"
        )
    config = config or DecodeConfig()
    peaks = find_peaks(confidence[:joints], config)
    connections = connect(peaks, affinity, layout, config)
    rows = assemble(peaks.joint, connections, joints)
    rows = rows[(rows >= 0).sum(1) >= config.least_joints]
    return _people(rows, peaks, confidence.shape[:0:-1])


def find_peaks(confidence: np.ndarray, config: DecodeConfig) -> Peaks:
    """Local maxima of each joint's map, refined between the cells.

    The logarithm of a Gaussian is a parabola, so the one through a peak and its two neighbours gives, along each axis, the
    exact place and height of a Gaussian's top. A neighbour beyond the border is what a round Gaussian would have there.

    :param confidence: (V, H, W)
    """
    joints, height, width = confidence.shape
    padded = np.full((joints, height + 2, width + 2), -np.inf, np.float32)
    padded[:, 1:-1, 1:-1] = confidence
    flat, step = padded.reshape(-1), width + 2
    at = np.flatnonzero(flat >= config.peak_score)
    value = flat[at]
    # Of equal neighbours only the first in reading order is a peak.
    top = (
        (value[:, None] > flat[at[:, None] + _offsets(_EARLIER, step)])
        & (value[:, None] >= flat[at[:, None] + _offsets(_LATER, step)])
    ).all(1)
    at, value = at[top], value[top]
    around = flat[at[:, None] + _offsets(((0, -1), (-1, 0), (0, 1), (1, 0)), step)].reshape(-1, 2, 2)  # [peak, side, axis]
    logs = np.log(np.maximum(around, _LEAST_NEIGHBOUR * value[:, None, None]) / value[:, None, None])
    there = np.isfinite(around)
    whole, bend = there.all(1), logs.sum(1)
    round_bend = np.where(whole, bend, np.where(whole[:, ::-1], bend[:, ::-1], -1))
    logs = np.where(there, logs, round_bend[:, None] - logs[:, ::-1])
    slope, bend = logs[:, 1] - logs[:, 0], np.minimum(logs.sum(1), -1e-6)
    shift = np.clip(-0.5 * slope / bend, -0.5, 0.5)
    score = np.minimum(value * np.exp(0.25 * (slope * shift).sum(1)), 1)
    joint, cell = np.divmod(at, step * (height + 2))
    row, column = np.divmod(cell, step)
    xy = np.stack([column, row], 1) - 0.5 + shift
    kept = _highest(joint, score, joints, config.most_peaks)
    return Peaks(joint[kept], xy[kept].astype(np.float32), score[kept].astype(np.float32))


def _offsets(steps: tuple[tuple[int, int], ...], width: int) -> np.ndarray:
    """(row, column) steps as steps in a flattened map of rows of `width`."""
    return np.array([row * width + column for row, column in steps])


def _highest(joint: np.ndarray, score: np.ndarray, joints: int, most: int) -> np.ndarray:
    """Rows of the `most` highest peaks of each joint, by joint, the highest first. joint (K,), score (K,)."""
    order = np.lexsort((-score, joint))
    first = np.searchsorted(joint[order], np.arange(joints))
    rank = np.arange(len(order)) - first[joint[order]]
    return order[rank < most]


def connect(peaks: Peaks, affinity: np.ndarray, layout: Layout, config: DecodeConfig) -> Connections:
    """The limbs between peaks: every pair scored by the field along its line, then assigned one to one for each limb.

    :param affinity: (2 L, H, W)
    """
    first, second, limb = _pairs(peaks.joint, layout)
    along = _along(affinity, peaks.xy[first], peaks.xy[second], limb, config.limb_samples)
    supported = (along > config.limb_score).mean(1) >= config.limb_agreement
    length = np.linalg.norm(peaks.xy[second] - peaks.xy[first], axis=1)
    longest = config.limb_length * max(affinity.shape[1:])
    score = along.mean(1) + np.minimum(longest / np.maximum(length, 1e-6) - 1, 0)
    score = np.where(supported & (score > config.limb_score), score, 0)
    chosen = _assign(first, second, limb, score)
    return Connections(first[chosen], second[chosen], score[chosen])


def _pairs(joint: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of peaks that could be a limb: rows of the first and second peak, and the limb; by limb, (P,) each."""
    starts = np.searchsorted(joint, np.arange(len(layout.joints) + 1))
    start, count = starts[:-1][layout.limb_indices], np.diff(starts)[layout.limb_indices]  # (L, 2)
    pairs = count.prod(1)
    limb = np.repeat(np.arange(len(pairs)), pairs)
    number = np.arange(len(limb)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    row, column = np.divmod(number, np.maximum(count[limb, 1], 1))
    return start[limb, 0] + row, start[limb, 1] + column, limb


def _along(affinity: np.ndarray, begin: np.ndarray, end: np.ndarray, limb: np.ndarray, samples: int) -> np.ndarray:
    """How far the field of `limb` points from `begin` to `end`, in the cells of evenly spaced points between them.

    A field is the same across a limb, so that values between the cells would say no more and take eight times as long.

    :param begin, end: (P, 2) positions in cells
    :returns: (P, samples) float32, 1 where the field is the unit vector from begin to end
    """
    height, width = affinity.shape[1:]
    line = end - begin
    unit = line / np.maximum(np.hypot(line[:, 0], line[:, 1]), 1e-6)[:, None]
    share = (np.arange(samples, dtype=np.float32) + 0.5) / samples
    column = np.clip(begin[:, :1] + line[:, :1] * share, 0, width - 1).astype(np.int64)
    row = np.clip(begin[:, 1:] + line[:, 1:] * share, 0, height - 1).astype(np.int64)
    at, flat = (2 * limb[:, None] * height + row) * width + column, affinity.reshape(-1)
    return np.take(flat, at) * unit[:, :1] + np.take(flat, at + height * width) * unit[:, 1:]


def _assign(first: np.ndarray, second: np.ndarray, limb: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Rows of the pairs chosen so that no peak serves a limb twice and the scores' sum is greatest; (P,) in, by limb."""
    bounds = np.flatnonzero(np.r_[True, np.diff(limb) > 0, True]) if len(limb) else np.zeros(1, np.int64)
    chosen = []
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist()):
        if end - begin == 1:
            chosen.append([begin])
            continue
        columns = second[end - 1] - second[begin] + 1
        column = assign(-score[begin:end].reshape(-1, columns).astype(np.float64), alone=0.0)
        row = np.flatnonzero(column >= 0)
        chosen.append(begin + row * columns + column[row])
    rows = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    return rows[score[rows] > 0]


def assemble(joint: np.ndarray, connections: Connections, joints: int) -> np.ndarray:
    """People grown from connections, the surest first; one that would give a person a joint twice is left out.

    :param joint: (K,) joint of each peak
    :returns: (N, V) int64 rows of peaks, -1 for a joint that a person lacks; people of one joint are left out
    """
    owner: list[int] = list(range(len(joint)))  # of a peak: the group it is in
    members = [[peak] for peak in owner]
    holds = [1 << each for each in joint.tolist()]  # of a group: its joints as bits
    order = np.argsort(-connections.score, kind="stable")
    for one, other in zip(connections.first[order].tolist(), connections.second[order].tolist()):
        kept, gone = owner[one], owner[other]
        if holds[kept] & holds[gone]:
            continue
        holds[kept] |= holds[gone]
        members[kept] += members[gone]
        for peak in members[gone]:
            owner[peak] = kept
        members[gone] = []
    groups = [group for group in members if len(group) > 1]
    rows = np.full((len(groups), joints), -1, np.int64)
    for person, group in enumerate(groups):
        rows[person, joint[group]] = group
    return rows


def _people(rows: np.ndarray, peaks: Peaks, size: tuple[int, int]) -> People:
    """rows (N, V) of peaks, -1 for none -> the record; size: (width, height) of the maps."""
    xy = np.concatenate([peaks.xy / np.array(size, np.float32), np.zeros((1, 2), np.float32)])
    scores = np.concatenate([peaks.score, np.zeros(1, np.float32)])[rows]
    person_scores = scores.sum(1) / scores.shape[1]
    order = np.argsort(-person_scores, kind="stable")
    return People(xy[rows][order], scores[order], person_scores[order])
