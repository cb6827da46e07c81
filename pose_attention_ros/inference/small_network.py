"""LiteRT for small networks that are stored as ONNX: an operator costs it a tenth of what it costs ONNX Runtime.

A recogniser's step is a hundred operators on a few thousand numbers, and what ONNX Runtime does around each of them is more
than its arithmetic. The network is rewritten when it is loaded, for one person and for a handful; more take turns.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.machine.library_output import quiet_native_stderr
from pose_attention_ros.inference.conversion.onnx_reading import read_graph
from pose_attention_ros.inference.conversion.onnx_to_tflite import tflite_of
from pose_attention_ros.inference.conversion.onnx_values import NotKnown, folded
from pose_attention_ros.inference.litert import interpreter_class
from pose_attention_ros.inference.network_types import NetworkFile, Shape, check_shapes

# Rows that are computed together: XNNPACK's product reads the weights once for six of them, and computes six in any case,
# which costs more than two alone.
_HANDFUL = 6
_ALONE_UP_TO = 2


class SmallNetwork:
    """See Network. The first axis of every input and output counts people, who do not influence each other; no other length
    varies.

    :param threads: CPU threads of one run
    :raises NotKnown: LiteRT is not there, the file cannot be read, or the network has operators that are not covered
        (conversion/onnx_to_tflite.py)
    """

    backend = "litert-cpu"

    def __init__(self, file: NetworkFile, threads: int = 1) -> None:
        try:
            self.inputs, self.outputs, contents = _rewritten(file)
            self._fixed = {rows: _FixedNetwork(content, threads) for rows, content in contents.items()}
        except (ModelError, ImportError, ValueError, RuntimeError, LookupError, TypeError, AttributeError) as error:
            raise NotKnown(str(error)) from None

    def bind(self, shapes: Mapping[str, Shape], outputs: Sequence[str] = ()) -> SmallBinding:
        """See Network."""
        check_shapes(shapes, self.inputs)
        people = {shape[0] for shape in shapes.values()}
        if len(people) != 1:
            raise ModelError(f"inputs have shapes {dict(shapes)}, expected as many people in each")
        return SmallBinding(self._fixed, self.inputs, self.outputs, people.pop(), tuple(outputs) or tuple(self.outputs))

    def close(self) -> None:
        """See Network."""
        self._fixed = {}


# Shapes of inputs and outputs, and the rewritten network by number of people; of the last few files that were loaded. Who
# evaluates many recordings loads the same one for each, and rewriting is most of that.
_Rewritten = tuple[Mapping[str, Shape], Mapping[str, Shape], Mapping[int, bytes]]
_kept: dict[str, _Rewritten] = {}
_KEPT_AT_MOST = 2


def _rewritten(file: NetworkFile) -> _Rewritten:
    key = hashlib.sha256(file.content).hexdigest()
    if key not in _kept:
        graph = folded(read_graph(file.content))
        if any(-1 in shape[1:] or shape[:1] != (-1,) for shape in (*graph.inputs.values(), *graph.outputs.values())):
            raise NotKnown("a length that varies beside the number of people")
        contents = {
            rows: tflite_of(graph, {name: (rows, *shape[1:]) for name, shape in graph.inputs.items()})
            for rows in (1, _HANDFUL)
        }
        while len(_kept) >= _KEPT_AT_MOST:
            del _kept[next(iter(_kept))]
        _kept[key] = graph.inputs, graph.outputs, contents
    return _kept[key]


class SmallBinding:
    """See Binding. Placing an array costs nothing."""

    def __init__(
        self,
        fixed: Mapping[int, _FixedNetwork],
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        people: int,
        wanted: tuple[str, ...],
    ) -> None:
        self.inputs = {name: np.zeros((people, *shape[1:]), np.float32) for name, shape in inputs.items()}
        self._all = {name: np.zeros((people, *shape[1:]), np.float32) for name, shape in outputs.items()}
        self.outputs = {name: self._all[name] for name in wanted}
        self._turns = [(fixed[size], rows, slice(0, rows.stop - rows.start)) for size, rows in _turns(people)]

    def place(self, name: str, array: np.ndarray) -> None:
        """See Binding."""
        if name in self.inputs:
            self.inputs[name] = array
            return
        self._all[name] = array
        if name in self.outputs:
            self.outputs[name] = array

    def __call__(self) -> None:
        """See Binding."""
        for network, rows, first in self._turns:
            for name, array in self.inputs.items():
                network.inputs[name][first] = array[rows]
            network.invoke()
            for name, array in self._all.items():
                array[rows] = network.outputs[name][first]

    def fetch(self, name: str) -> np.ndarray:
        """See Binding."""
        return self._all[name]


def _turns(people: int) -> list[tuple[int, slice]]:
    """How many rows a network for the next people has, and which people they are."""
    turns = []
    begin = 0
    while begin < people:
        size = 1 if people - begin <= _ALONE_UP_TO else _HANDFUL
        turns.append((size, slice(begin, min(begin + size, people))))
        begin += size
    return turns


class _FixedNetwork:
    """The network for one number of people. `inputs` and `outputs` are LiteRT's own memory, `invoke` computes."""

    def __init__(self, content: bytes, threads: int) -> None:
        interpreter = interpreter_class()
        with quiet_native_stderr():
            self._interpreter = interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self.inputs = {each["name"]: self._memory(each) for each in self._interpreter.get_input_details()}
        self.outputs = {each["name"]: self._memory(each) for each in self._interpreter.get_output_details()}
        for array in self.inputs.values():
            array[...] = 0  # rows that nobody fills are computed as well
        self.invoke = self._interpreter.invoke

    def _memory(self, tensor: dict) -> np.ndarray:
        """A tensor's memory, which stays where it is: no shape of this network changes. LiteRT's own view of it must not
        be held while it computes, though copying through its interface costs as much as a tenth of the step."""
        view = self._interpreter.tensor(tensor["index"])()
        address, size, shape = view.__array_interface__["data"][0], view.size, view.shape
        del view
        return np.frombuffer((ctypes.c_float * size).from_address(address), np.float32).reshape(shape)
