"""How an image is fitted into a network's input, and how what the network says is taken back to the image's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Letterbox:
    """An image scaled by one factor into the middle of an input whose sides are multiples of `stride`.

    All sizes are (width, height). Coordinates are continuous: (0, 0) is the outer corner of the first pixel.

    :param content_size: the scaled image inside the input
    :param offset: (x, y) of the content's corner in the input
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    content_size: tuple[int, int]
    offset: tuple[int, int]

    @classmethod
    def fit(cls, image_size: tuple[int, int], longer_side: int, stride: int = 32) -> Letterbox:
        """The input whose longer side is `longer_side` and whose shorter side is the multiple of `stride` nearest to the
        image's own aspect ratio, so that hardly any of it is padding.

        :param longer_side: pixels, a multiple of `stride`
        """
        longest = max(image_size)
        input_w, input_h = (max(stride, int(side * longer_side / longest / stride + 0.5) * stride) for side in image_size)
        return cls.into(image_size, (input_w, input_h))

    @classmethod
    def into(cls, image_size: tuple[int, int], input_size: tuple[int, int]) -> Letterbox:
        """The image as large as it fits into the middle of this input."""
        input_w, input_h = input_size
        scale = min(input_w / image_size[0], input_h / image_size[1])
        content = (max(1, min(input_w, round(image_size[0] * scale))), max(1, min(input_h, round(image_size[1] * scale))))
        offset = ((input_w - content[0]) // 2, (input_h - content[1]) // 2)
        return cls((image_size[0], image_size[1]), (input_w, input_h), content, offset)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the content in the input."""
        (x, y), (width, height) = self.offset, self.content_size
        return slice(y, y + height), slice(x, x + width)

    def to_image(self, xy_normalised: np.ndarray) -> np.ndarray:
        """(..., 2) x, y as fractions of the input -> (..., 2) float32 pixels of the image."""
        scale = np.divide(self.image_size, self.content_size)
        return ((xy_normalised * np.array(self.input_size) - self.offset) * scale).astype(np.float32)
