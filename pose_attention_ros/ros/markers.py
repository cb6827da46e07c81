"""The people as markers for RViz: skeletons on a plane in front of the camera, joints coloured by their attention.

An image has no depth. The plane lies `DISTANCE_M` in front of the camera's optical frame (x right, y down, z forward), as
wide as the view of a camera with a field of view of 60 degrees, so that the skeletons stand where the people are seen.
"""

from __future__ import annotations

import math

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, SkeletonGraphs
from pose_attention_ros.ros.stamps import header_of

LIMBS, JOINTS, LABELS, IDS = "limbs", "joints", "labels", "ids"  # namespaces
DISTANCE_M = 2.0
PLANE_WIDTH_M = 2 * DISTANCE_M * math.tan(math.radians(30))
# fmt: off
_COLOURS = ((0.90, 0.62, 0.00), (0.34, 0.71, 0.91), (0.00, 0.62, 0.45), (0.94, 0.89, 0.26), (0.00, 0.45, 0.70),
            (0.84, 0.37, 0.00), (0.80, 0.47, 0.65))  # Okabe and Ito: told apart by the colour-blind too
# fmt: on


def markers_of(graphs: SkeletonGraphs, actions: ActionEstimates | None) -> MarkerArray:
    """Limbs, joints, label and id of each person, each in a namespace of its own, so that a viewer can hide it; the
    first marker deletes those of the image before."""
    array = MarkerArray(markers=[Marker(header=header_of(graphs.stamp_ns, graphs.frame_id), action=Marker.DELETEALL)])
    estimates = {person.track_id: person for person in actions.people} if actions else {}
    keypoints_px = graphs.keypoints_px()
    for row, track_id in enumerate(graphs.track_ids.tolist()):
        points = [_on_plane(point, graphs.image_size) for point in keypoints_px[row]]
        array.markers += _person(graphs, row, points, estimates.get(track_id))
    return array


def _person(graphs: SkeletonGraphs, row: int, points: list[Point], estimate: ActionEstimate | None) -> list[Marker]:
    mask, track_id = graphs.mask[row], int(graphs.track_ids[row])
    colour = person_colour(track_id)
    limbs = _marker(graphs, LIMBS, track_id, Marker.LINE_LIST, 0.01, colour)
    limbs.points = [points[end] for limb in graphs.layout.limb_indices if mask[limb].all() for end in limb]
    joints = _marker(graphs, JOINTS, track_id, Marker.SPHERE_LIST, 0.03, colour)
    present = np.flatnonzero(mask)
    joints.points = [points[joint] for joint in present]
    if estimate is not None:
        weight = estimate.joint_attention / max(float(estimate.joint_attention.max()), 1e-9)
        joints.colors = [_opaque(attention_colour(float(weight[joint]))) for joint in present]
    left, top, right, bottom = graphs.boxes_xyxy[row]
    text = _marker(graphs, LABELS, track_id, Marker.TEXT_VIEW_FACING, 0.08, (1.0, 1.0, 1.0))
    text.text = label_of(track_id, estimate)
    text.pose.position = _on_plane(((left + right) / 2, top), graphs.image_size)
    number = _marker(graphs, IDS, track_id, Marker.TEXT_VIEW_FACING, 0.06, colour)
    number.text = str(track_id)
    number.pose.position = _on_plane(((left + right) / 2, bottom), graphs.image_size)
    return [limbs, joints, text, number]


def label_of(track_id: int, estimate: ActionEstimate | None) -> str:
    """What is written at a person."""
    return f"{track_id} {estimate.label} {estimate.confidence:.0%}" if estimate else str(track_id)


def person_colour(track_id: int) -> tuple[float, float, float]:
    """Red, green, blue in [0, 1]; the same for a track in every image."""
    return _COLOURS[track_id % len(_COLOURS)]


def attention_colour(level: float) -> tuple[float, float, float]:
    """From yellow (no attention, 0) to red (the most, 1)."""
    return (1.0, 1.0 - level, 0.1)


def _marker(
    graphs: SkeletonGraphs, namespace: str, track_id: int, kind: int, size_m: float, colour: tuple[float, float, float]
) -> Marker:
    marker = Marker(
        header=header_of(graphs.stamp_ns, graphs.frame_id),
        ns=namespace,
        id=track_id % 2**31,
        type=kind,
        action=Marker.ADD,
        color=_opaque(colour),
    )
    marker.scale.x = marker.scale.y = marker.scale.z = size_m
    marker.pose.orientation.w = 1.0
    return marker


def _opaque(rgb: tuple[float, float, float]) -> ColorRGBA:
    return ColorRGBA(r=rgb[0], g=rgb[1], b=rgb[2], a=1.0)


def _on_plane(point_px: np.ndarray | tuple[float, float], image_size: tuple[int, int]) -> Point:
    """A pixel as a point in metres; the image centre lies on the optical axis."""
    width, height = image_size
    metres = PLANE_WIDTH_M / max(width, 1)
    return Point(x=(float(point_px[0]) - width / 2) * metres, y=(float(point_px[1]) - height / 2) * metres, z=DISTANCE_M)
