"""The people as annotations of the image itself, which Foxglove's Image panel draws over it (foxglove_msgs, where it is
installed). Drawing is the viewer's work: no image is decoded or sent for it.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, SkeletonGraphs
from pose_attention_ros.ros.markers import attention_colour, label_of, person_colour
from pose_attention_ros.ros.stamps import time_of

_LIMB_PX, _JOINT_PX, _FONT_PX = 2.0, 7.0, 14.0


def annotation_type() -> type | None:
    """foxglove_msgs/ImageAnnotations, or None where the package is not installed."""
    if importlib.util.find_spec("foxglove_msgs") is None:
        return None
    from foxglove_msgs.msg import ImageAnnotations

    return ImageAnnotations


class Annotator:
    """Makes ImageAnnotations. Raises ImportError where foxglove_msgs is not installed."""

    def __init__(self) -> None:
        import foxglove_msgs.msg as kinds

        self._kinds = kinds

    def __call__(self, graphs: SkeletonGraphs, actions: ActionEstimates | None) -> Any:
        """Limbs, joints coloured by their attention, and a label for each person; coordinates in pixels of the image."""
        estimates = {person.track_id: person for person in actions.people} if actions else {}
        made = self._kinds.ImageAnnotations()
        keypoints_px = graphs.keypoints_px()
        for row, track_id in enumerate(graphs.track_ids.tolist()):
            estimate = estimates.get(track_id)
            made.points += self._skeleton(graphs, row, keypoints_px[row], estimate)
            made.texts.append(self._label(graphs, row, track_id, estimate))
        return made

    def _skeleton(
        self, graphs: SkeletonGraphs, row: int, points_px: np.ndarray, estimate: ActionEstimate | None
    ) -> list[Any]:
        mask, kind = graphs.mask[row], self._kinds.PointsAnnotation
        colour = self._colour(person_colour(int(graphs.track_ids[row])))
        present = np.flatnonzero(mask)
        levels = None if estimate is None else estimate.joint_attention / max(float(estimate.joint_attention.max()), 1e-9)
        limbs = [points_px[end] for limb in graphs.layout.limb_indices if mask[limb].all() for end in limb]
        joints = self._points(graphs, kind.POINTS, points_px[present], colour, _JOINT_PX)
        if levels is not None:
            joints.outline_colors = [self._colour(attention_colour(float(levels[joint]))) for joint in present]
        return [self._points(graphs, kind.LINE_LIST, limbs, colour, _LIMB_PX), joints]

    def _points(self, graphs: SkeletonGraphs, kind: int, points_px: Any, colour: Any, thickness_px: float) -> Any:
        return self._kinds.PointsAnnotation(
            timestamp=time_of(graphs.stamp_ns),
            type=kind,
            outline_color=colour,
            fill_color=colour,
            thickness=thickness_px,
            points=[self._kinds.Point2(x=float(x), y=float(y)) for x, y in points_px],
        )

    def _label(self, graphs: SkeletonGraphs, row: int, track_id: int, estimate: ActionEstimate | None) -> Any:
        left, top = graphs.boxes_xyxy[row, :2].tolist()
        return self._kinds.TextAnnotation(
            timestamp=time_of(graphs.stamp_ns),
            position=self._kinds.Point2(x=left, y=max(top, _FONT_PX)),
            text=label_of(track_id, estimate),
            font_size=_FONT_PX,
            text_color=self._colour((1.0, 1.0, 1.0)),
            background_color=self._colour((0.1, 0.1, 0.1), 0.7),
        )

    def _colour(self, rgb: tuple[float, float, float], alpha: float = 1.0) -> Any:
        return self._kinds.Color(r=rgb[0], g=rgb[1], b=rgb[2], a=alpha)
