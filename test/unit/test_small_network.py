"""Small networks on LiteRT: the numbers of ONNX Runtime for every operator and for the shipped steps, and a way back."""

from __future__ import annotations

import numpy as np
import pytest

from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference import litert, small_network
from pose_attention_ros.inference.conversion.onnx_reading import read_graph
from pose_attention_ros.inference.conversion.tflite_writing import KINDS
from pose_attention_ros.inference.network_types import NetworkFile
from pose_attention_ros.inference.networks import OnnxNetwork, open_network
from pose_attention_ros.inference.recogniser import find_model, load_recogniser
from pose_attention_ros.inference.small_network import SmallNetwork


def step_file(model: str) -> NetworkFile:
    return NetworkFile(model, (find_model(model) / "step.onnx").read_bytes(), "")


def small(file: NetworkFile):
    return open_network(file, "auto", {}, small=True)


@pytest.mark.parametrize("model", ["everyday", "everyday_open"])
@pytest.mark.parametrize("people", [1, 2, 3, 7])
def test_a_stream_gets_the_answers_of_onnx_runtime(model, people):
    one, other = load_recogniser(model), load_recogniser(model, runtime="onnx")
    rng, joints = np.random.default_rng(people), len(one.spec.layout.joints)
    states = [np.zeros((people, one.spec.state_size), np.float32)] * 2
    for tick in range(25):
        features = rng.normal(size=(people, joints, 5)).astype(np.float32)
        features[..., -1] = rng.uniform(0.2, 1, features.shape[:2])
        features *= (rng.uniform(size=(people, joints)) < (0.8 if tick != 7 else 0))[..., None]  # at 7 nobody has a joint
        found, wanted = (each.step(features, state) for each, state in zip((one, other), states))
        for name in ("logits", "joint_attention", "frame_energy", "embedding"):
            np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-5, atol=1e-5)
        states = [found.state, wanted.state]
    assert one._network.backend == "litert-cpu" and other._network.backend == "onnx-cpu"


def network(nodes, constants, outputs=("y",), width=6):
    """An ONNX file of x (people, 3, width) and z (people, 3, width), both float32, of any number of people."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    x, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["people", 3, width]) for name in "xz")
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, made, **given) for operator, inputs, made, given in nodes],
        "small",
        [x, z],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    model = onnx.shape_inference.infer_shapes(model)
    for value in model.graph.output:
        value.type.tensor_type.shape.dim[0].dim_param = "people"
    return NetworkFile("small", model.SerializeToString(), "")


RNG = np.random.default_rng(0)
WEIGHTS, BIAS = RNG.normal(size=(6, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
FLAT = [("Reshape", ["x", "rows"], ["flat"], {})]
ROWS = {"rows": np.array([-1, 6])}
BACK = ("Reshape", ["out", "back"], ["y"], {})


def gemm(weights, third, **given):
    """Rows of x by weights, back to people."""
    shaped = {"rows": np.array([-1, 6]), "back": np.array([-1, 3, 4]), "w": weights}
    inputs = ["flat", "w"] + (["c"] if third is not None else [])
    return [*FLAT, ("Gemm", inputs, ["out"], given), BACK], shaped | ({} if third is None else {"c": third})


# fmt: off
OPERATORS = {
    "add": ([("Add", ["x", "z"], ["y"], {})], {}),
    "add a constant": ([("Add", ["x", "c"], ["y"], {})], {"c": RNG.normal(size=(3, 1)).astype(np.float32)}),
    "subtract, divide": ([("Sub", ["x", "z"], ["d"], {}), ("Exp", ["z"], ["e"], {}), ("Div", ["d", "e"], ["y"], {})], {}),
    "clip both": ([("Clip", ["x", "a", "b"], ["y"], {})], {"a": np.float32(-0.5), "b": np.float32(0.5)}),
    "clip above": ([("Clip", ["x", "", "b"], ["y"], {})], {"b": np.float32(0.5)}),
    "softmax": ([("Softmax", ["x"], ["y"], {"axis": -1})], {}),
    "softmax of the middle": ([("Softmax", ["x"], ["y"], {"axis": 1})], {}),
    "lengths": ([("ReduceL2", ["x", "a"], ["y"], {"keepdims": 0})], {"a": np.array([-1])}),
    "sum": ([("ReduceSum", ["x", "a"], ["y"], {"keepdims": 1})], {"a": np.array([1])}),
    "mean": ([("ReduceMean", ["x", "a"], ["y"], {"keepdims": 0})], {"a": np.array([1, 2])}),
    "activations": ([("Tanh", ["x"], ["t"], {}), ("LeakyRelu", ["t"], ["l"], {"alpha": 0.2}), ("Sigmoid", ["l"], ["s"], {}),
                     ("Relu", ["z"], ["r"], {}), ("Add", ["s", "r"], ["y"], {})], {}),
    "sign, negative, maximum": ([("Sign", ["x"], ["s"], {}), ("Neg", ["z"], ["n"], {}), ("Max", ["s", "n"], ["y"], {})], {}),
    "root, logarithm": ([("Exp", ["x"], ["e"], {}), ("Sqrt", ["e"], ["s"], {}), ("Log", ["s"], ["y"], {})], {}),
    "slice": ([("Slice", ["x", "a", "b", "c"], ["y"], {})],
              {"a": np.array([-4, 1]), "b": np.array([2**40, -1]), "c": np.array([2, 1])}),
    "split and join": ([("Split", ["x", "a"], ["p", "q"], {"axis": 2}), ("Concat", ["q", "z", "p"], ["y"], {"axis": -1})],
                       {"a": np.array([2, 4])}),
    "gather": ([("Gather", ["x", "a"], ["y"], {"axis": 1})], {"a": np.array([2, 0, -2])}),
    "turn": ([("Transpose", ["x"], ["y"], {"perm": [0, 2, 1]})], {}),
    "products": ([("Transpose", ["z"], ["t"], {"perm": [0, 2, 1]}), ("MatMul", ["x", "t"], ["y"], {})], {}),
    "a constant's product": ([("MatMul", ["c", "x"], ["y"], {})], {"c": RNG.normal(size=(2, 3)).astype(np.float32)}),
    "product with weights": ([("MatMul", ["x", "w"], ["y"], {})], {"w": WEIGHTS}),
    "squeeze": ([("Unsqueeze", ["x", "a"], ["u"], {}), ("Tanh", ["u"], ["t"], {}), ("Squeeze", ["t", "a"], ["y"], {})],
                {"a": np.array([1])}),
    "folded": ([("Mul", ["c", "c"], ["k"], {}), ("Transpose", ["k"], ["w"], {}), ("MatMul", ["x", "w"], ["y"], {})],
               {"c": np.ascontiguousarray(WEIGHTS.T)}),
    "gemm": gemm(WEIGHTS, None),
    "gemm, bias": gemm(np.ascontiguousarray(WEIGHTS.T), BIAS, transB=1, alpha=0.5, beta=2.0),
    "gemm, one bias": gemm(WEIGHTS, np.float32([0.3])),
}
# fmt: on


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("people", [1, 3])
def test_operators_give_the_numbers_of_onnx_runtime(operator, people):
    file = network(*OPERATORS[operator])
    found, wanted = SmallNetwork(file), OnnxNetwork(file)
    assert found.inputs == wanted.inputs and found.outputs == wanted.outputs
    shapes = {name: (people, *shape[1:]) for name, shape in found.inputs.items()}
    bindings = [each.bind(shapes) for each in (found, wanted)]
    for name, shape in shapes.items():
        values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        for binding in bindings:
            binding.inputs[name][:] = values
    for binding in bindings:
        binding()
    np.testing.assert_allclose(bindings[0].outputs["y"], bindings[1].outputs["y"], rtol=1e-5, atol=1e-6)


def test_numbers_of_kinds_are_the_schemas():
    import tflite

    shared = dict.fromkeys(("SUM", "MEAN"), "Reducer") | dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimum")
    for kind, (number, options) in KINDS.items():
        name = ({"BATCH_MATMUL": "BatchMatMul"} | shared).get(kind, kind.title().replace("_", "")) + "Options"
        assert getattr(tflite.BuiltinOperator, kind) == number
        assert not options or getattr(tflite.BuiltinOptions, name) == options


@pytest.mark.parametrize("model", ["temporal_attention", "rpan"])
def test_what_litert_does_not_take_runs_on_onnx_runtime(model):
    assert small(step_file(model)).backend == "onnx-cpu"


def test_without_litert_onnx_runtime_computes(monkeypatch):
    monkeypatch.setattr(litert, "_RUNTIMES", ("no_such_runtime",))
    assert small(step_file("everyday")).backend == "onnx-cpu"


def test_a_network_is_rewritten_once_however_often_it_is_loaded(monkeypatch):
    made, tflite_of = [], small_network.tflite_of
    monkeypatch.setattr(small_network, "tflite_of", lambda *of: made.append(of) or tflite_of(*of))
    monkeypatch.setattr(small_network, "_kept", {})
    files = [network(*gemm(weights, None)) for weights in (WEIGHTS, 2 * WEIGHTS, 3 * WEIGHTS)]
    rewritten, answers = [], []
    for number in (0, 0, 1, 0, 2, 0):  # all of them are called "small"
        binding = SmallNetwork(files[number]).bind({"x": (1, 3, 6), "z": (1, 3, 6)})
        binding.inputs["x"][:] = 1
        binding()
        answers.append(binding.outputs["y"].copy())
        rewritten.append(len(made) // 2)
    assert rewritten == [1, 1, 2, 2, 3, 4]  # the oldest of three was forgotten
    for answer, times in zip(answers, (1, 1, 2, 1, 3, 1)):
        np.testing.assert_allclose(answer, times * answers[0], rtol=1e-6)


def test_people_differ_in_number_is_told():
    with pytest.raises(ModelError, match="as many people in each"):
        SmallNetwork(network(*OPERATORS["add"])).bind({"x": (1, 3, 6), "z": (2, 3, 6)})


def test_what_cannot_be_read_here_is_left_to_onnx_runtime():
    with pytest.raises(ModelError, match="model 'everyday' cannot be loaded"):
        small(NetworkFile("everyday", step_file("everyday").content[:1000], ""))


def test_damaged_files_are_one_line():
    content = step_file("everyday").content
    rng = np.random.default_rng(0)
    for size in (0, 1, 10, 1000, len(content) // 2, len(content) - 1):
        with pytest.raises(ModelError) as told:
            read_graph(content[:size])
        assert "\n" not in str(told.value)
    for _ in range(200):
        wrong = bytearray(content[:4000])
        for at in rng.integers(0, len(wrong), 5):
            wrong[at] = rng.integers(0, 256)
        with pytest.raises(ModelError):
            read_graph(bytes(wrong))
