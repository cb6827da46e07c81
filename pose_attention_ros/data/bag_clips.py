"""Bags with labels as clips of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pose_attention_ros.bags.label_sources import labels_of_topic, read_labels
from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.bags.streams import choose_input, read_items
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.recording_clips import LabelledRecording, PoseStage, RecordingClipConfig, import_recordings


def import_bags(
    sources: Sequence[tuple[Path, Path | str]],
    config: RecordingClipConfig,
    make_pose: Callable[[], PoseStage],
    kind: str = "auto",
    topic: str = "",
    done: Callable[[int], None] = lambda frames: None,
) -> SkeletonDataset:
    """The data set of bags and their labels; each labelled stretch is a group.

    :param sources: (bag, CSV file or name of a labels topic)
    :param make_pose: makes the pose estimator, called only for bags of images
    :raises UserError: nothing in them can be used
    """
    return import_recordings(_opened(sources, kind, topic), config, make_pose, done)


def _opened(sources: Sequence[tuple[Path, Path | str]], kind: str, topic: str) -> Iterator[LabelledRecording]:
    for path, labels in sources:
        with Bag(path) as bag:
            chosen = choose_input(bag, kind, topic)
            if chosen.kind == "actions":
                raise UserError(f"bag {path} holds actions alone; clips need images, skeletons or skeleton_graphs")
            truth = (
                labels_of_topic(bag, labels, bag.left_out) if isinstance(labels, str) else read_labels(labels, bag.left_out)
            )
            yield LabelledRecording(path.name, (item for _, item in read_items(bag, chosen)), truth)
