"""Draws what the pipeline sees and says onto the camera image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.visualization.palette import DARK, Colour, attention_levels, dimmed, track_colour
from pose_attention_ros.visualization.plates import Plate, legend_plate, paste, person_plate, place
from pose_attention_ros.visualization.skeleton import draw_box, draw_joints, draw_limbs


@dataclass(frozen=True)
class OverlayConfig(Settings):
    """Settings of the drawing."""

    min_height: int = setting(
        400,
        "images lower than this are enlarged by a whole factor, so that text stays legible; 0: never",
        unit="px",
        low=0,
        high=4320,
        live=True,
    )
    blank: bool = setting(False, "draw on a dark ground in place of the image, so that nobody can be recognised", live=True)
    legend: bool = setting(True, "draw the scale of attention in the lower left corner", live=True)


class Overlay:
    """Boxes, skeletons, labels and attention over an image; everything is sized to the image."""

    def __init__(self, config: OverlayConfig | None = None) -> None:
        self._config = config or OverlayConfig()

    def configure(self, config: OverlayConfig) -> None:
        """Other settings from the next image on."""
        self._config = config

    def draw(self, image_bgr: np.ndarray, graphs: SkeletonGraphs, actions: ActionEstimates | None = None) -> np.ndarray:
        """A new image with the people of `graphs` and, matched by track id, what `actions` says of them.

        :param image_bgr: (height, width, 3) uint8; it is not changed. It may be scaled: coordinates follow graphs.image_size
        :returns: (height, width, 3) uint8, a whole factor larger where `min_height` asks for it
        """
        canvas = self._enlarged(np.full_like(image_bgr, DARK) if self._config.blank else image_bgr)
        height, width = canvas.shape[:2]
        unit = max(1.0, min(height, width * 0.75) / 480)  # what is one pixel at 640 x 480
        scale = np.divide((width, height), graphs.image_size)
        points_px = graphs.keypoints_px() * scale
        boxes = graphs.boxes_xyxy * np.tile(scale, 2)
        estimates = {person.track_id: person for person in actions.people} if actions is not None else {}
        order = np.argsort(graphs.track_ids)
        for row in order:
            estimate = estimates.get(int(graphs.track_ids[row]))
            _draw_person(canvas, graphs, row, points_px[row], boxes[row], estimate, unit)
        taken: list[tuple[int, int, int, int]] = []
        for row in order:
            track_id = int(graphs.track_ids[row])
            plate = person_plate(track_id, estimates.get(track_id), _cap_height(boxes[row], unit))
            _draw_plate(canvas, plate, boxes[row], taken, unit)
        if self._config.legend and actions is not None:
            legend, edge = legend_plate(round(7 * unit)), round(8 * unit)
            if legend.size[0] + edge <= width and legend.size[1] + edge <= height:
                paste(canvas, legend, (edge, height - edge - legend.size[1]))
        return canvas

    def _enlarged(self, image_bgr: np.ndarray) -> np.ndarray:
        import cv2

        height, width = image_bgr.shape[:2]
        factor = -(-self._config.min_height // height) if self._config.min_height else 1
        if factor <= 1:
            return image_bgr.copy()
        return cv2.resize(image_bgr, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC)


def _draw_person(
    canvas: np.ndarray,
    graphs: SkeletonGraphs,
    row: int,
    points_px: np.ndarray,
    box: np.ndarray,
    estimate: ActionEstimate | None,
    unit: float,
) -> None:
    """Box and skeleton; stroke widths follow the size of the person, so that a small one is not buried under its joints."""
    confirmed = estimate is not None and estimate.state is LabelState.CONFIRMED
    colour: Colour = track_colour(int(graphs.track_ids[row]))
    if not confirmed:
        colour = dimmed(colour)
    size = float(np.clip((box[3] - box[1]) / 220, 0.3 * unit, 1.6 * unit))
    mask = graphs.mask[row]
    levels = attention_levels(estimate.joint_attention) if estimate is not None else None
    draw_box(canvas, box, colour, max(1, round(min(1.6 * unit, 3 * size))))
    draw_limbs(canvas, points_px, mask, graphs.layout.limb_indices, colour, 2.2 * size)
    draw_joints(canvas, points_px, mask, levels, colour, 3.2 * size)


def _cap_height(box: np.ndarray, unit: float) -> int:
    """Height of the capitals on a plate: smaller for a small person, so that a crowd is not hidden behind its labels."""
    return round(float(np.clip((box[3] - box[1]) / 18, 6.5 * unit, 9 * unit)))


def _draw_plate(
    canvas: np.ndarray, plate: Plate, box: np.ndarray, taken: list[tuple[int, int, int, int]], unit: float
) -> None:
    height, width = canvas.shape[:2]
    if plate.size[0] > width or plate.size[1] > height:
        return
    x, y = place(plate.size, box, (width, height), taken, round(3 * unit))
    taken.append((x, y, x + plate.size[0], y + plate.size[1]))
    paste(canvas, plate, (x, y))
