"""Evaluation numbers, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.evaluation import metrics


def test_confusion_and_f1():
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    table = metrics.confusion(predicted, truth, 3)
    assert table.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert metrics.accuracy(predicted, truth) == pytest.approx(0.6)
    assert metrics.macro_f1(table) == pytest.approx((2 * 1 / 4 + 2 * 2 / 6) / 2)


def test_nothing_to_measure_is_nan():
    none = np.zeros(0)
    assert math.isnan(metrics.accuracy(none, none)) and math.isnan(metrics.calibration_error(none, none))
    assert math.isnan(metrics.area_under_roc(none, np.ones(1))) and math.isnan(metrics.macro_f1(np.zeros((2, 2), int)))


def test_calibration_error():
    confidence = np.array([0.91, 0.95, 0.31, 0.31])
    correct = np.array([True, False, False, False])
    assert metrics.calibration_error(confidence, correct, bins=10) == pytest.approx(0.5 * (0.93 - 0.5) + 0.5 * 0.31)


few = st.lists(st.integers(0, 5), min_size=1, max_size=20)


@given(known=few, strange=few)
def test_area_under_roc_is_the_chance_of_the_right_order(known, strange):
    pairs = [(k > s) + (k == s) / 2 for k in known for s in strange]
    assert metrics.area_under_roc(np.array(known), np.array(strange)) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_is_found_again(temperature):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((20000, 4)) * 2
    truth = np.array([rng.choice(4, p=p) for p in metrics.softmax(logits)])
    assert metrics.fit_temperature(logits * temperature, truth) == pytest.approx(temperature, rel=0.06)


def test_where_every_answer_is_right_nothing_says_how_sure_to_be():
    assert metrics.fit_temperature(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1])) == 1.0


def test_answers_may_count_more_than_others():
    confidence, correct = np.array([0.5, 0.5, 0.7, 0.7, 0.9]), np.array([False, True, True, False, True])
    assert metrics.choose_threshold(confidence, correct, 0.6) == 0.2
    assert metrics.choose_threshold(confidence, correct, 0.6, np.array([1, 1, 1, 3, 3])) == pytest.approx(0.71)


def test_a_class_that_is_often_wrong_must_be_surer_and_one_without_answers_as_sure_as_all():
    confidence = np.tile(np.linspace(0.3, 0.98, 50), 2)
    answers = np.repeat([0, 1], 50)
    correct = np.concatenate([np.ones(50, bool), np.linspace(0.3, 0.98, 50) > 0.8])
    first, second, third = metrics.choose_thresholds(confidence, answers, correct, [0.75] * 3, np.ones(100), [0.5] * 3)
    assert first == 0.5 < third < second
    assert third == metrics.choose_threshold(confidence, correct, 0.75)
    alarm = metrics.choose_thresholds(confidence, answers, correct, [0.75, 0.6, 0.75], np.ones(100), [0.5, 0.3, 0.5])
    assert alarm[0] == first and alarm[1] < second and alarm[2] == third


@given(answers=st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=100))
def test_nine_of_ten_labels_above_the_threshold_are_right(answers):
    confidence, correct = (np.array(column) for column in zip(*answers))
    threshold = metrics.choose_threshold(confidence, correct)
    passed = confidence >= threshold
    assert threshold == 0.99 or correct[passed].mean() >= 0.9
    assert 0.2 <= threshold <= 0.99
