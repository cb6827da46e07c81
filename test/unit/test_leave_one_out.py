"""Which clips teach and which are asked when a data set is left out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.leave_one_out import askable, markdown, without
from pose_attention_ros.core.layouts import layout
from pose_attention_ros.data.streams import Example
from pose_attention_ros.training.corpus import Corpus, Entry

pytestmark = pytest.mark.training

LAYOUT = layout("common13")


def entry(data: str, split: str, target: int) -> Entry:
    example = Example(np.zeros((3, 13, 2), np.float32), np.ones((3, 13), bool), 10.0, target)
    return Entry(example, split, data, f"label{target}")


CORPUS = Corpus((entry("a", "train", 0), entry("a", "val", 0), entry("a", "test", 0), entry("a", "train", 1),
                 entry("a", "test", 1), entry("b", "train", 0), entry("b", "val", 0), entry("b", "test", 0)),
                ("walk", "wave"), LAYOUT, {})


def test_a_set_that_is_left_out_is_neither_learnt_nor_validated_on():
    left = without(CORPUS, "a")
    assert {(e.data, e.split) for e in left.entries} == {("a", "test"), ("b", "train"), ("b", "val"), ("b", "test")}


def test_only_classes_that_others_teach_are_asked():
    assert [(e.split, e.example.target) for e in askable(CORPUS, "a")] == [("test", 0)]
    assert len(askable(CORPUS, "b")) == 1


def test_the_table_has_a_row_for_each_set():
    row = {"clips": 4, "accuracy": 0.5, "accuracy_estimated": 0.25, "recall": {"walk": [2, 4]}}
    text = markdown({"a": {"all": row | {"accuracy": 1.0}, "left out": row}})
    assert "| a | 4 | 100.0 | 50.0 | 25.0 | 25.0 |" in text and "walk 2/4" in text
