"""Runs one of a folder's networks on a batch of crops, or on a whole image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference.network_types import Binding, Profile, ShapeRange
from pose_attention_ros.inference.networks import open_network
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.topdown.spec import Fed

MOST_AT_ONCE = 8  # people of one run; more are taken in turns
_USUAL = 2


class FedNetwork:
    """An image network on ONNX Runtime or TensorRT.

    :param runtime: one of networks.RUNTIMES
    :raises ModelError: the file cannot be loaded, or lacks what the specification names
    """

    def __init__(self, fed: Fed, config: PoseConfig, runtime: str, batched: bool = True) -> None:
        self._fed = fed
        width, height = fed.size
        most = MOST_AT_ONCE if batched else 1
        shapes = ((count, 3, height, width) for count in (1, min(_USUAL, most), most))
        profile: Profile = {fed.input: ShapeRange(*shapes)}
        self._network = open_network(fed.file, runtime, profile, config.threads)
        self.backend = self._network.backend
        wanted = self._network.inputs.get(fed.input)
        lacking = [name for name in fed.outputs if name not in self._network.outputs]
        if wanted is None or len(self._network.inputs) != 1 or lacking:
            raise ModelError(
                f"{fed.file.name}: the ONNX file has inputs {', '.join(self._network.inputs)} and outputs "
                f"{', '.join(self._network.outputs)}; model.json names {fed.input}, {', '.join(fed.outputs)}"
            )
        if len(wanted) != 4 or any(have not in (-1, want) for have, want in zip(wanted[1:], (3, height, width))):
            raise ModelError(
                f"{fed.file.name}: the ONNX file takes {fed.input} of shape {wanted}, but size in model.json "
                f"says (N, 3, {height}, {width})"
            )
        self._most = most if wanted[0] == -1 else wanted[0]
        self._fixed = wanted[0] != -1
        self._bindings: dict[int, Binding] = {}
        order = (2, 1, 0) if fed.channels == "rgb" else (0, 1, 2)  # images are BGR
        self._order = order
        self._factor = (1 / np.asarray(fed.std, np.float32))[:, None, None]
        self._shift = -(np.asarray(fed.mean, np.float32) / np.asarray(fed.std, np.float32))[:, None, None]

    def __call__(self, images_bgr: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs that the specification names, of images (H, W, 3) uint8 of its size, a row each."""
        rows: list[list[np.ndarray]] = []
        for begin in range(0, len(images_bgr), self._most):
            part = images_bgr[begin : begin + self._most]
            binding = self._binding(self._most if self._fixed else len(part))
            planes = binding.inputs[self._fed.input]
            for row, image in enumerate(part):
                np.multiply(image[..., self._order].transpose(2, 0, 1), self._factor, out=planes[row])
                planes[row] += self._shift
            binding()
            rows.append([binding.outputs[name][: len(part)].copy() for name in self._fed.outputs])
        joined = [np.concatenate(parts) for parts in zip(*rows)]
        if self._fed.scores == "sigmoid":
            joined = [1 / (1 + np.exp(-array)) for array in joined]
        return joined

    def close(self) -> None:
        """Free the network."""
        self._bindings.clear()
        self._network.close()

    def _binding(self, count: int) -> Binding:
        if count not in self._bindings:
            width, height = self._fed.size
            self._bindings[count] = self._network.bind({self._fed.input: (count, 3, height, width)}, self._fed.outputs)
        return self._bindings[count]
