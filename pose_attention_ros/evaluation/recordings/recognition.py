"""From the records of a bag's topic to what the recogniser says of them: all stages, the later ones, or none."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import Input, action_model, first_actions
from pose_attention_ros.bags.types import GRAPHS
from pose_attention_ros.core.action_stage import ActionConfig, ActionStage
from pose_attention_ros.core.errors import MessageError, ModelError, SourceError
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.messages.records import actions_of_message, graphs_of_message, ns_of
from pose_attention_ros.core.pipeline import STAGES, Pipeline
from pose_attention_ros.core.time.stamps import StampOrder
from pose_attention_ros.core.types import ActionEstimates, Frame, SkeletonGraphs
from pose_attention_ros.evaluation.recordings.graph_process import WORTH_A_PROCESS, TimedGraphs, graphs_beside
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import find_model, load_recogniser
from pose_attention_ros.inference.teaching import Teaching

Answer = tuple[ActionEstimates, SkeletonGraphs | None, tuple[float, ...]]
_JOINTS = ("skeletons", "skeleton_graphs")  # inputs without images
_RECENT_GRAPHS = 64  # messages in which the graphs of an answer are looked for


@dataclass
class Answers:
    """Call it with a record: the answer, the graphs it rests on, and the seconds spent in each of `stages`.

    about: model id, hash and classes; machine: what computed (differs between machines); items: the records, where they
    do not come from the topic alone; warm_up: what only the first frame pays for.
    """

    classes: tuple[str, ...]
    about: dict[str, Any]
    stages: tuple[str, ...]
    call: Callable[[Any], Answer]
    machine: dict[str, str]
    items: Iterator[tuple[int, Any]] | None = None
    warm_up: Callable[[Frame], None] = lambda frame: None
    close: Callable[[], None] = lambda: None

    def __call__(self, item: Any) -> Answer:
        return self.call(item)


def make_answers(
    bag: Bag | None,
    chosen: Input,
    model: str,
    pose: PoseConfig,
    graph: GraphConfig,
    action: ActionConfig,
    two_processes: bool = False,
) -> Answers:
    """The stages that the topic leaves to be done. Raises ModelError, SourceError.

    :param bag: needed where the input is not images
    :param two_processes: whether the graph stage may run beside this process
    """
    if chosen.kind == "actions":
        return _recorded(bag, chosen, model)
    recogniser = load_recogniser(model)
    spec = recogniser.spec
    estimator = None if chosen.kind in _JOINTS else create_pose_estimator(pose)
    feed = None if estimator is None else create_pixel_feed(spec, PixelFeedConfig(), estimator.image_features)
    action_stage = ActionStage(recogniser, action, feed)
    action_stage.teach(Teaching(recogniser, find_model(model)).taught)
    spec = action_stage.described
    about = {"model_id": spec.model_id, "sha256": spec.sha256, "classes": list(spec.classes)}
    graph = replace(graph, layout=spec.layout.name)
    graph_stage = GraphStage(graph)
    if chosen.kind == "skeleton_graphs":

        def from_graphs(graphs: SkeletonGraphs) -> Answer:
            began = time.perf_counter()
            actions = action_stage(graphs)
            return actions, graphs, (time.perf_counter() - began,)

        return Answers(spec.classes, about, STAGES[2:], from_graphs, {})
    if chosen.kind == "skeletons" and two_processes and chosen.count >= WORTH_A_PROCESS:

        def from_timed(timed: TimedGraphs) -> Answer:
            began = time.perf_counter()
            actions = action_stage(timed.graphs)
            return actions, timed.graphs, (timed.seconds, time.perf_counter() - began)

        return Answers(
            spec.classes,
            about,
            STAGES[1:],
            from_timed,
            {"processes": "2"},
            items=graphs_beside(bag.path, chosen, graph, bag.left_out),
        )
    if chosen.kind == "skeletons":

        def from_skeletons(skeletons: Any) -> Answer:
            began = time.perf_counter()
            graphs = graph_stage(skeletons)
            middle = time.perf_counter()
            actions = action_stage(graphs)
            return actions, graphs, (middle - began, time.perf_counter() - middle)

        return Answers(spec.classes, about, STAGES[1:], from_skeletons, {})
    pipeline = Pipeline(estimator, graph_stage, action_stage)

    def from_image(frame: Frame) -> Answer:
        result = pipeline(frame)
        return result.actions, result.graphs, result.stage_seconds

    return Answers(
        spec.classes,
        about,
        STAGES,
        from_image,
        {"pose_backend": estimator.backend},
        warm_up=lambda frame: estimator.warm_up(frame.image_bgr.shape[1::-1]),
        close=estimator.close,
    )


def _recorded(bag: Bag, chosen: Input, model: str) -> Answers:
    """Answers that were recorded, with their graphs where these were, too."""
    sha256 = first_actions(bag, chosen).model_sha256
    identity = action_model(bag, sha256)
    if identity is None:
        identity = _identity_of(model, sha256, bag)
    topics = sorted(topic.name for topic in bag.topics.values() if topic.msgtype == GRAPHS and topic.count)
    near = [name for name in topics if name.rpartition("/")[0] == chosen.topic.rpartition("/")[0]] or topics
    about = {"model_id": identity.model_id, "sha256": sha256, "classes": list(identity.classes)}
    return Answers(
        tuple(identity.classes),
        about,
        (),
        lambda pair: (*pair, ()),
        {},
        items=_pairs(bag, chosen, identity, near[0] if len(near) == 1 else None),
    )


def _identity_of(model: str, sha256: str, bag: Bag) -> Any:
    try:
        spec = load_recogniser(model).spec
    except ModelError:
        spec = None
    if spec is None or spec.sha256 != sha256:
        raise SourceError(
            f"the actions in {bag.path} come from a model with hash {sha256[:8]}, which the bag does not "
            "describe (no action_model topic): give that model with --model"
        )
    return SimpleNamespace(model_id=spec.model_id, model_sha256=sha256, layout=spec.layout.name, classes=list(spec.classes))


def _pairs(
    bag: Bag, chosen: Input, identity: Any, graphs_topic: str | None
) -> Iterator[tuple[int, tuple[ActionEstimates, SkeletonGraphs | None]]]:
    """(time of recording, (actions, graphs of the same stamp or None))."""
    recent: OrderedDict[int, Any] = OrderedDict()
    order = StampOrder(bag.left_out, one_round=True)
    for topic, recorded_ns, raw in bag.messages([chosen.topic, *([graphs_topic] if graphs_topic else [])]):
        try:
            message = bag.read(topic, raw)
            stamp_ns = ns_of(message.header.stamp)
            if topic == graphs_topic:
                recent[stamp_ns] = message
                if len(recent) > _RECENT_GRAPHS:
                    recent.popitem(last=False)
            elif order.use(stamp_ns or 1, recorded_ns) is not None:
                actions = actions_of_message(message, identity)
                there = recent.get(stamp_ns)
                yield recorded_ns, (actions, graphs_of_message(there) if there is not None else None)
        except MessageError as error:
            bag.left_out.add(f"{topic}: unusable message: {error}")
