"""Draws what the pipeline sees and says onto the camera image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.config import Settings, setting
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState, SkeletonGraphs
from pose_attention_ros.visualization.palette import GREY, Colour, attention_levels, attention_scale, dimmed, track_colour
from pose_attention_ros.visualization.plates import Plate, paste, person_plate, place
from pose_attention_ros.visualization.skeleton import draw_box, draw_joints, draw_limbs
from pose_attention_ros.visualization.text import put_mask, text_mask


@dataclass(frozen=True)
class OverlayConfig(Settings):
    """Settings of the drawing."""

    min_height: int = setting(400, "images lower than this are enlarged by a whole factor, so that text stays legible; "
                              "0: never", unit="px", low=0, high=4320)
    legend: bool = setting(True, "draw the scale of attention in the lower left corner")


class Overlay:
    """Boxes, skeletons, labels and attention over an image; everything is sized to the image."""

    def __init__(self, config: OverlayConfig | None = None) -> None:
        self._config = config or OverlayConfig()

    def draw(self, image_bgr: np.ndarray, graphs: SkeletonGraphs, actions: ActionEstimates | None = None) -> np.ndarray:
        """A new image with the people of `graphs` and, matched by track id, what `actions` says of them.

        :param image_bgr: (height, width, 3) uint8; it is not changed. It may be scaled: coordinates follow graphs.image_size
        :returns: (height, width, 3) uint8, a whole factor larger where `min_height` asks for it
        """
        canvas = self._enlarged(image_bgr)
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
            _draw_plate(canvas, person_plate(track_id, estimates.get(track_id), round(9 * unit)), boxes[row], taken, unit)
        if self._config.legend and actions is not None:
            _draw_legend(canvas, unit)
        return canvas

    def _enlarged(self, image_bgr: np.ndarray) -> np.ndarray:
        import cv2

        height, width = image_bgr.shape[:2]
        factor = -(-self._config.min_height // height) if self._config.min_height else 1
        if factor <= 1:
            return image_bgr.copy()
        return cv2.resize(image_bgr, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC)


def _draw_person(canvas: np.ndarray, graphs: SkeletonGraphs, row: int, points_px: np.ndarray, box: np.ndarray,
                 estimate: ActionEstimate | None, unit: float) -> None:
    """Box and skeleton; stroke widths follow the size of the person, so that a small one is not buried under its joints."""
    confirmed = estimate is not None and estimate.state is LabelState.CONFIRMED
    colour: Colour = track_colour(int(graphs.track_ids[row]))
    if not confirmed:
        colour = dimmed(colour)
    size = float(np.clip((box[3] - box[1]) / 220, 0.45 * unit, 1.6 * unit))
    mask = graphs.mask[row]
    levels = attention_levels(estimate.joint_attention) if estimate is not None else None
    draw_box(canvas, box, colour, max(1, round(1.6 * unit)))
    draw_limbs(canvas, points_px, mask, graphs.layout.limb_indices, colour, max(1, round(2.2 * size)))
    draw_joints(canvas, points_px, mask, levels, colour, 3.2 * size)


def _draw_plate(canvas: np.ndarray, plate: Plate, box: np.ndarray, taken: list[tuple[int, int, int, int]],
                unit: float) -> None:
    height, width = canvas.shape[:2]
    if plate.size[0] > width or plate.size[1] > height:
        return
    x, y = place(plate.size, box, (width, height), taken, round(3 * unit))
    taken.append((x, y, x + plate.size[0], y + plate.size[1]))
    paste(canvas, plate, (x, y))


def _draw_legend(canvas: np.ndarray, unit: float) -> None:
    """A small colour bar: which colour is how much attention."""
    import cv2

    height, width = canvas.shape[:2]
    word = text_mask("attention", round(7 * unit))
    bar_w, bar_h, edge = round(60 * unit), round(6 * unit), round(8 * unit)
    if word.shape[1] + bar_w + 4 * edge > width or word.shape[0] + 2 * edge > height:
        return
    top = height - edge - word.shape[0]
    region = canvas[top - edge // 2:, :word.shape[1] + bar_w + 3 * edge]
    cv2.convertScaleAbs(region, dst=region, alpha=0.45)
    put_mask(canvas, word, (edge, top), GREY)
    bar = attention_scale()[np.linspace(0, 255, bar_w).astype(int)]
    x, y = 2 * edge + word.shape[1], top + (word.shape[0] - bar_h) // 2
    canvas[y:y + bar_h, x:x + bar_w] = bar
