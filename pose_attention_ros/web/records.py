"""What the page is told, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.core.teaching.lesson import Take
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, SkeletonGraphs

_BEST = 3
_MOMENTS = 48  # of the strip of attention


def record_of(graphs: SkeletonGraphs, actions: ActionEstimates | None) -> dict[str, Any]:
    """One image's people. Stamps are seconds; joints [x, y, seen] in pixels of the image."""
    estimates = {person.track_id: person for person in actions.people} if actions else {}
    people = []
    for track_id, box, joints, seen in zip(
        graphs.track_ids.tolist(),
        _rounded(graphs.boxes_xyxy, 1),
        _rounded(graphs.keypoints_px(), 1),
        graphs.mask.astype(int).tolist(),
    ):
        person = {"id": track_id, "box": box, "joints": [[x, y, there] for (x, y), there in zip(joints, seen)]}
        if track_id in estimates:
            person |= _said(estimates[track_id], actions.classes)
        people.append(person)
    return {"type": "result", "stamp": graphs.stamp_ns * 1e-9, "size": list(graphs.image_size), "people": people}


def _said(person: ActionEstimate, classes: tuple[str, ...]) -> dict[str, Any]:
    best = np.argsort(-person.scores, kind="stable")[:_BEST]
    return {
        "label": person.label,
        "state": person.state.name.lower(),
        "confidence": round(float(person.confidence), 3),
        "top": [[classes[k], round(float(person.scores[k]), 3)] for k in best],
        "since": person.onset_ns * 1e-9,
        "joint_attention": _levels(person.joint_attention),
        "moments": _levels(person.frame_attention[-_MOMENTS:]),
        "moments_s": round(float(person.frame_stamps_ns[-1] - person.frame_stamps_ns[-_MOMENTS:][0]) * 1e-9, 2),
    }


def _levels(weights: np.ndarray) -> list[float]:
    """0 to 1: 1 is the greatest weight, or three times the even share if that is more."""
    greatest = max(float(weights.max(initial=0)), 3 / max(len(weights), 1))
    return _rounded(weights / greatest, 2)


def _rounded(values: np.ndarray, digits: int) -> list:
    """As lists. A rounded float32 has seven digits more than it means, in JSON too."""
    return np.round(np.asarray(values, np.float64), digits).tolist()


def record_of_model(
    model_id: str,
    sha256: str,
    classes: tuple[str, ...],
    layout: Layout,
    threshold: float,
    taught: tuple[str, ...],
    why_not: str,
) -> dict[str, Any]:
    """Names that drawing and lists need.

    :param classes: with the taught ones
    :param why_not: why the model cannot be taught; empty if it can
    """
    return {
        "type": "model",
        "id": model_id,
        "sha256": sha256,
        "classes": list(classes),
        "taught": list(taught),
        "why_not": why_not,
        "threshold": threshold,
        **_of_layout(layout),
    }


def _of_layout(layout: Layout) -> dict[str, Any]:
    rows = {name: row for row, name in enumerate(layout.joints)}
    return {"joints": list(layout.joints), "limbs": [[rows[a], rows[b]] for a, b in layout.limbs]}


def record_of_take(take: Take) -> dict[str, Any]:
    """A take as a moving stick figure: places in body units."""
    return record_of_figure(take.begin_ns, take.end_ns, [(joints[:, :2], joints[:, 2] > 0) for joints in take.figure])


def record_of_figure(begin_ns: int, end_ns: int, figure: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The same from each moment's places (V, 2) in body units and which joints are there (V,)."""
    return {
        "begin": begin_ns * 1e-9,
        "length_s": round((end_ns - begin_ns) * 1e-9, 2),
        "figure": [
            [place if seen else None for place, seen in zip(_rounded(places, 2), there.tolist())] for places, there in figure
        ],
    }
