"""One topic of a bag as the records of core, in the order of their stamps: what evaluation and import read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.types import ACTION_MODEL, ACTIONS, COMPRESSED_IMAGE, GRAPHS, IMAGE, SKELETONS
from pose_attention_ros.core.errors import MessageError, SourceError
from pose_attention_ros.core.messages.images import DEPTH, ImageError, bgr_from_compressed, bgr_from_image
from pose_attention_ros.core.messages.packed import graphs_of_bytes, skeletons_of_bytes
from pose_attention_ros.core.messages.records import actions_of_message, graphs_of_message, ns_of, skeletons_of_message
from pose_attention_ros.core.time.stamps import StampOrder
from pose_attention_ros.core.types import ActionEstimates, Frame, SkeletonGraphs, Skeletons

# What can be evaluated, the earliest stage first -> types of its topics.
KINDS: dict[str, tuple[str, ...]] = {
    "images": (IMAGE, COMPRESSED_IMAGE),
    "skeletons": (SKELETONS,),
    "skeleton_graphs": (GRAPHS,),
    "actions": (ACTIONS,),
}
Item = Frame | Skeletons | SkeletonGraphs | ActionEstimates


@dataclass(frozen=True)
class Input:
    """The topic of a bag that is read; `kind` is a key of KINDS."""

    kind: str
    topic: str
    msgtype: str
    count: int


def choose_input(bag: Bag, kind: str = "auto", topic: str = "") -> Input:
    """The topic to read.

    :param kind: a key of KINDS; auto takes the earliest stage that the bag holds
    :param topic: empty for the only one of its kind (of an image in two forms, the raw one)
    :raises SourceError: there is none, several, it is empty, or its type is another or unknown
    """
    if not any(each.count for each in bag.topics.values()):
        raise SourceError(
            f"bag {bag.path} is empty; expected at least one topic of images, skeletons, skeleton_graphs or actions"
        )
    found = _named(bag, kind, topic) if topic else _only_one(bag, kind)
    bag.check_type(found.topic)
    return found


def _named(bag: Bag, kind: str, topic: str) -> Input:
    there = bag.topics.get(topic) or bag.topics.get("/" + topic.lstrip("/")) or bag.topics.get(topic.lstrip("/"))
    if there is None:
        raise SourceError(f"bag {bag.path} has no topic {topic!r}; it has {_listed(bag)}")
    kinds = [name for name, types in KINDS.items() if there.msgtype in types and kind in ("auto", name)]
    if not kinds:
        wanted = " or ".join(KINDS[kind] if kind in KINDS else [each for types in KINDS.values() for each in types])
        raise SourceError(f"topic {there.name!r} is {there.msgtype or 'of several types'}, expected {wanted}")
    if not there.count:
        raise SourceError(f"topic {there.name!r} of bag {bag.path} is empty")
    return Input(kinds[0], there.name, there.msgtype, there.count)


def _only_one(bag: Bag, kind: str) -> Input:
    for name, types in KINDS.items():
        if kind not in ("auto", name):
            continue
        topics = pictures(sorted(each.name for each in bag.topics.values() if each.msgtype in types and each.count))
        raw = [each for each in topics if each + "/compressed" in topics]
        topics = [each for each in topics if each.removesuffix("/compressed") not in raw or each in raw]
        if len(topics) > 1:
            raise SourceError(f"bag {bag.path} has several topics of {name}; choose one with --topic: {', '.join(topics)}")
        if topics:
            return Input(name, topics[0], bag.topics[topics[0]].msgtype, bag.topics[topics[0]].count)
    wanted = kind if kind in KINDS else ", ".join(KINDS)
    raise SourceError(f"bag {bag.path} holds nothing of {wanted}; it has {_listed(bag)}")


def pictures(topics: list[str]) -> list[str]:
    """The topics that are no depth images, where there are such."""
    return [topic for topic in topics if not topic.endswith(DEPTH)] or topics


def _listed(bag: Bag) -> str:
    return ", ".join(
        f"{each.name} ({each.msgtype or 'several types'}, {each.count})"
        for each in sorted(bag.topics.values(), key=lambda each: each.name)
    )


def frame_of(message: Any, msgtype: str) -> Frame:
    """The image in a message. Raises ImageError."""
    read = bgr_from_image if msgtype == IMAGE else bgr_from_compressed
    return Frame(read(message), ns_of(message.header.stamp), message.header.frame_id)


def read_items(bag: Bag, chosen: Input, model: Any = None) -> Iterator[tuple[int, Item]]:
    """(time of recording, record) of the chosen topic, stamps strictly increasing; the rest goes to `bag.left_out`.

    :param model: names the classes of actions, see `action_model`
    """
    convert: Callable[[Any], Item] = {
        "images": lambda message: frame_of(message, chosen.msgtype),
        "skeletons": skeletons_of_message,
        "skeleton_graphs": graphs_of_message,
        "actions": lambda message: actions_of_message(message, model),
    }[chosen.kind]
    at_once = {"skeletons": skeletons_of_bytes, "skeleton_graphs": graphs_of_bytes}.get(chosen.kind)
    if at_once is not None and not bag.is_as_here(chosen.topic):
        at_once = None
    order = StampOrder(bag.left_out, one_round=True)
    for _, recorded_ns, raw in bag.messages([chosen.topic]):
        try:
            item = at_once(raw) if at_once is not None else None
            if item is None:
                item = convert(bag.read(chosen.topic, raw))
        except (MessageError, ImageError) as error:
            bag.left_out.add(f"{chosen.topic}: unusable message: {error}")
            continue
        # Only cameras send images without a stamp; what was made of an image may well stand at second 0.
        stated_ns = order.stated(item.stamp_ns, recorded_ns) if chosen.kind == "images" else item.stamp_ns or 1
        stamp_ns = order.use(stated_ns, recorded_ns)
        if stamp_ns is not None:
            yield recorded_ns, replace(item, stamp_ns=stamp_ns) if chosen.kind == "images" else item


def action_model(bag: Bag, sha256: str) -> Any | None:
    """The ActionModel message of the recogniser with this hash; None if the bag holds none that fits."""
    for topic in (each for each in bag.topics.values() if each.msgtype == ACTION_MODEL):
        for name, _, raw in bag.messages([topic.name]):
            try:
                message = bag.read(name, raw)
            except MessageError:
                continue
            if message.model_sha256 == sha256:
                return message
    return None


def first_actions(bag: Bag, chosen: Input) -> Any:
    """The first readable message of an actions topic. Raises SourceError."""
    for _, _, raw in bag.messages([chosen.topic]):
        try:
            return bag.read(chosen.topic, raw)
        except MessageError:
            continue
    raise SourceError(f"topic {chosen.topic!r} of bag {bag.path} holds no message that can be read")
