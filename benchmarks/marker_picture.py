"""Draws what RViz shows of our markers, without RViz: docs/pictures/markers.png.

    scripts/with_ros python -m benchmarks.marker_picture --source VIDEO --frame 300 --out docs/pictures/markers.png

Runs the pipeline up to a frame, makes the MarkerArray that the overlay node would publish, and projects its points, lines
and texts as a camera at the side would see them. The image of the video is not used.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from visualization_msgs.msg import Marker, MarkerArray

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.pipeline import Pipeline
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import load_recogniser
from pose_attention_ros.ros.markers import DISTANCE_M, markers_of

SIZE = (1100, 460)
CENTRE = (585, 330)
FOCAL_PX = 1150.0
EYE = np.array([-0.9, -0.35, -0.4])  # metres in the camera's optical frame: x right, y down, z forward
GROUND = (34, 32, 32)


def markers_at(source: str, frame_number: int, input_size: int) -> MarkerArray:
    """The markers of a frame, with all that came before it remembered."""
    pipeline = Pipeline(
        create_pose_estimator(PoseConfig(input_size=input_size)), GraphStage(), ActionStage(load_recogniser("everyday"))
    )
    camera = open_source(source, CameraConfig())
    for _ in range(frame_number + 1):
        result = pipeline(camera.read())
    camera.close()
    return markers_of(result.graphs, result.actions)


class Eye:
    """A pinhole camera at EYE that looks at the middle of the plane of markers."""

    def __init__(self) -> None:
        forward = np.array([0.0, 0.0, DISTANCE_M]) - EYE
        forward /= np.linalg.norm(forward)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        self._axes = np.stack([right, np.cross(forward, right), forward])

    def pixel(self, point: Any) -> tuple[int, int]:
        """Where a geometry_msgs/Point, or (x, y, z), is seen."""
        xyz = np.array([point.x, point.y, point.z] if hasattr(point, "x") else point)
        x, y, z = self._axes @ (xyz - EYE)
        return round(CENTRE[0] + FOCAL_PX * x / z), round(CENTRE[1] + FOCAL_PX * y / z)


def draw(array: MarkerArray) -> np.ndarray:
    """(height, width, 3) uint8 BGR."""
    canvas, eye = np.full((SIZE[1], SIZE[0], 3), GROUND, np.uint8), Eye()
    for metres in np.arange(-1.2, 1.3, 0.3):  # the plane of the markers
        for ends in (
            ((metres, -0.9, DISTANCE_M), (metres, 0.9, DISTANCE_M)),
            ((-1.2, metres * 0.75, DISTANCE_M), (1.2, metres * 0.75, DISTANCE_M)),
        ):
            cv2.line(canvas, eye.pixel(ends[0]), eye.pixel(ends[1]), (58, 56, 54), 1, cv2.LINE_AA)
    for axis, colour in enumerate(((60, 60, 230), (70, 200, 70), (230, 120, 60))):  # the camera's frame: x, y, z
        tip = np.zeros(3)
        tip[axis] = 0.25
        cv2.arrowedLine(canvas, eye.pixel(np.zeros(3)), eye.pixel(tip), colour, 2, cv2.LINE_AA, tipLength=0.2)
    for marker in array.markers:
        colour = bgr(marker.color)
        if marker.type == Marker.LINE_LIST:
            for begin, end in zip(marker.points[::2], marker.points[1::2]):
                cv2.line(canvas, eye.pixel(begin), eye.pixel(end), colour, 4, cv2.LINE_AA)
        elif marker.type == Marker.SPHERE_LIST:
            for point, joint in zip(marker.points, marker.colors or [marker.color] * len(marker.points)):
                cv2.circle(canvas, eye.pixel(point), 5, bgr(joint), -1, cv2.LINE_AA)
        elif marker.type == Marker.TEXT_VIEW_FACING:
            x, y = eye.pixel(marker.pose.position)
            (width, _), _ = cv2.getTextSize(marker.text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
            cv2.putText(canvas, marker.text, (x - width // 2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return canvas


def bgr(colour: Any) -> tuple[int, int, int]:
    return tuple(round(255 * part) for part in (colour.b, colour.g, colour.r))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="video")
    parser.add_argument("--frame", type=int, default=300)
    parser.add_argument("--input-size", type=int, default=512)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/markers.png"))
    args = parser.parse_args()
    cv2.imwrite(str(args.out), draw(markers_at(args.source, args.frame, args.input_size)), (cv2.IMWRITE_PNG_COMPRESSION, 9))


if __name__ == "__main__":
    main()
