"""The stages that are ours as workloads, on simulated people: what benchmarks.instructions counts and times.

Each is made once (it loads, warms up and prepares its input) and then does the same work in every process and on every day.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crowd import CrowdConfig, crowd
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.types import SkeletonGraphs, Skeletons
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, load_recogniser

_WARM_UP = 15  # frames that nothing is counted of: tracks begin, buffers are made
_COUNTED = 15
_FPS = 10.0


@dataclass(frozen=True)
class Workload:
    """`run()` does the work of `frames` frames."""

    frames: int
    run: Callable[[], Any]


@cache
def _people(count: int) -> list[Skeletons]:
    """Enough frames, with all of `count` people in view and surely seen in every one of them."""
    config = CrowdConfig(count, (_WARM_UP + _COUNTED) / _FPS, _FPS, seed=count, slowest=0.2, fastest=0.5, missed=0, unseen=2)
    return [replace(skeletons, person_scores=np.ones(count)) for skeletons, _ in crowd(config)]


@cache
def _graphs(count: int) -> list[SkeletonGraphs]:
    stage = GraphStage()
    return [stage(skeletons) for skeletons in _people(count)]


@cache
def _recogniser() -> Recogniser:
    return load_recogniser(DEFAULT_MODEL)


def _each(items: list[Any], work: Callable[[Any], Any]) -> Workload:
    """`work` on item after item; the first ones are done now."""
    for item in items[:_WARM_UP]:
        work(item)
    rest = items[_WARM_UP:]
    return Workload(len(rest), lambda: [work(item) for item in rest])


def graph(people: int) -> Workload:
    """Skeletons to graphs."""
    return _each(_people(people), GraphStage())


def action(people: int) -> Workload:
    """Graphs to estimates, with the recogniser's step."""
    return _each(_graphs(people), ActionStage(_recogniser()))


def step(people: int) -> Workload:
    """The recogniser's network alone: one step for so many people."""
    recogniser, rng = _recogniser(), np.random.default_rng(0)
    spec = recogniser.spec
    features = rng.normal(size=(people, len(spec.layout.joints), len(spec.features))).astype(np.float32)
    state = np.zeros((people, spec.state_size), np.float32)
    return _each([features] * (_WARM_UP + _COUNTED), lambda each: recogniser.step(each, state))


def messages(people: int) -> Workload:
    """Skeletons, graphs and estimates to bytes, and back to records: what nodes add to the stages."""
    from rclpy.serialization import serialize_message

    from pose_attention_ros.core.messages.packed import bytes_of_graphs, bytes_of_skeletons
    from pose_attention_ros.ros.action_messages import message_of_actions
    from pose_attention_ros.ros.skeleton_messages import graphs_of_raw, skeletons_of_raw

    seen, graphs = _people(people), _graphs(people)
    stage = ActionStage(_recogniser())
    estimates = [stage(each) for each in graphs]

    def there_and_back(items: tuple[Any, ...]) -> None:
        skeletons, graphs, actions = items
        skeletons_of_raw(bytes_of_skeletons(skeletons))
        graphs_of_raw(bytes_of_graphs(graphs))
        serialize_message(message_of_actions(actions, actions.stamp_ns))

    return _each(list(zip(seen, graphs, estimates)), there_and_back)


def bag(people: int) -> Workload:
    """A bag of skeletons of four seconds at 30 Hz, evaluated; opening it and the result are shared out among its frames. The
    recogniser has been loaded once before, so that its rewriting (inference.small_network) is not in the count."""
    from pose_attention_ros.bags.writing import BagWriter, skeletons_message
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask, evaluate_recording

    folder = Path(tempfile.mkdtemp())
    config = CrowdConfig(people, 4, 30.0, seed=people, slowest=0.2, fastest=0.5, missed=0, unseen=2)
    try:
        with BagWriter(folder / "bag") as writer:
            for skeletons, _ in crowd(config):
                writer.write("/skeletons", skeletons.stamp_ns, skeletons_message(skeletons))
        evaluate_recording(RecordingTask(str(folder / "bag"), pictures=False, max_frames=3))
    except BaseException:
        shutil.rmtree(folder)
        raise

    def run() -> None:
        try:
            evaluate_recording(RecordingTask(str(folder / "bag"), pictures=False))
        finally:
            shutil.rmtree(folder)

    return Workload(round(config.seconds * config.fps), run)


# Name -> how it is made. Short names first; the number of people is in the name.
STAGES: dict[str, Callable[[], Workload]] = {
    "skeleton graph, 4 people": lambda: graph(4),
    "skeleton graph, 20 people": lambda: graph(20),
    "action, 4 people": lambda: action(4),
    "action, 20 people": lambda: action(20),
    "recogniser's step, 1 person": lambda: step(1),
    "recogniser's step, 10 people": lambda: step(10),
    "messages of all stages, 4 people": lambda: messages(4),
    "evaluation of a bag, 3 people": lambda: bag(3),
}
