"""Which clips are asked when a data set is left out, and the table of the answers."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.leave_one_out import askable, markdown, upper_body
from pose_attention_ros.core.body.layouts import layout
from pose_attention_ros.data.streams import Example
from pose_attention_ros.training.corpus import Corpus, Entry

pytestmark = pytest.mark.training

LAYOUT = layout("common13")


def entry(data: str, split: str, target: int, taught: bool, clip: int = 0) -> Entry:
    example = Example(np.zeros((3, 13, 2), np.float32), np.ones((3, 13), np.float32), 10.0, target)
    return Entry(example, split, data, f"label{target}", clip, taught=taught)


# Data set `a` is left out: its clips are all in the test part.
CORPUS = Corpus(
    (
        entry("a", "test", 0, True),
        entry("a", "test", 0, False),
        entry("a", "test", 1, True),
        entry("a", "test", 0, True, clip=-1),  # a held pose
        entry("b", "train", 0, True),
        entry("b", "val", 0, False),
        entry("b", "test", 0, False),
        entry("b", "val", 1, False),
    ),
    ("walk", "wave"),
    LAYOUT,
    {},
)


def test_only_classes_that_others_teach_are_asked():
    assert [(e.data, e.kind) for e in askable(CORPUS, "a")] == [("a", 0), ("a", 0)]


def test_the_upper_body_lacks_hips_and_legs():
    seen = upper_body(CORPUS.entries[0], CORPUS).example.scores[0] > 0
    assert [joint for joint, there in zip(LAYOUT.joints, seen) if not there] == [
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ]


def test_the_table_has_a_row_for_each_set():
    row = {
        "clips": 4,
        "accuracy": 0.5,
        "accuracy_estimated": 0.25,
        "accuracy_upper_body": None,
        "auroc_no_class": 0.9,
        "recall": {"walk": [2, 4]},
    }
    text = markdown({"a": row, "b": row | {"accuracy_upper_body": 1.0, "auroc_no_class": None}})
    assert "| a | 4 | 50.0 | 25.0 | - | 0.90 |" in text and "| b | 4 | 50.0 | 25.0 | 100.0 | - |" in text
    assert "walk 2/4" in text
