"""Numbers of labelled streams, against values worked out by hand, and what must hold for every stream."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.evaluation import metrics, stream_metrics
from pose_attention_ros.evaluation.stream_metrics import Timeline

LABELS = {"-": stream_metrics.NO_CLASS, "?": stream_metrics.UNLABELLED, "a": 0, "b": 1, "c": 2}


def timeline(truth: str, predicted: str, fps: float = 10.0, scores: np.ndarray | None = None) -> Timeline:
    """One letter a frame: a, b, c for the classes, - for none (unknown), ? for unlabelled."""
    indices = np.array([LABELS[letter] for letter in predicted], np.int64)
    if scores is None:
        scores = np.where(indices[:, None] == np.arange(3), 1.0, 0.0)
    return Timeline(np.round(np.arange(len(truth)) / fps * 1e9), [LABELS[letter] for letter in truth], indices, scores)


@pytest.mark.parametrize(
    "truth, predicted, accuracy, acting",
    [
        ("aabb", "aabb", 1.0, 1.0),
        ("aabb", "abbb", 0.75, 0.75),
        ("aa--", "aa--", 1.0, 1.0),
        ("aa--", "aaaa", 0.5, 1.0),
        ("aa--", "----", 0.5, 0.0),
        ("aa??", "abab", 0.5, 0.5),
        ("----", "--b-", 0.75, math.nan),
        ("????", "abab", math.nan, math.nan),
    ],
)
def test_accuracy_of_frames(truth, predicted, accuracy, acting):
    line = timeline(truth, predicted)
    assert stream_metrics.frame_accuracy([line]) == pytest.approx(accuracy, nan_ok=True)
    assert stream_metrics.acting_accuracy([line]) == pytest.approx(acting, nan_ok=True)


def test_frames_count_by_the_time_they_stand_for():
    stamps_s = np.array([0.0, 0.1, 0.5, 0.6, 5.0, 5.1])
    line = Timeline(np.round(stamps_s * 1e9), [0] * 6, [0, 1, 0, 1, 0, 0], np.zeros((6, 2)))
    np.testing.assert_allclose(line.seconds, [0.1, 0.4, 0.1, 1.0, 0.1, 0.1])  # a gap counts one second; the last the median
    assert stream_metrics.frame_accuracy([line]) == pytest.approx(0.4 / 1.8)


def test_macro_f1_and_confusion_in_seconds():
    line = timeline("aaaabb----", "aabbbb--aa")
    table = stream_metrics.confusion_s([line], 3)
    np.testing.assert_allclose(table, 0.1 * np.array([[2, 2, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [2, 0, 0, 2]]))
    assert stream_metrics.macro_f1([line], 3) == pytest.approx((2 * 2 / 8 + 2 * 2 / 6) / 2)


def test_frame_wise_mean_average_precision():
    scores = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.5, 0.5, 0], [0.1, 0.8, 0], [0.0, 0.0, 0]])
    line = timeline("aab-?", "ab-b-", scores=scores)
    a = (1 / 1 + 2 / 3) / 2  # scores of a fall 0.9 a, 0.5 b, 0.4 a, 0.1 -
    b = 1 / 3  # scores of b fall 0.8 -, 0.6 a, 0.5 b, 0.1 a
    assert stream_metrics.frame_map([line], 3) == pytest.approx((a + b) / 2)


@pytest.mark.parametrize(
    "truth, predicted, f1_10, f1_50",
    [
        ("aaaabbbb", "aaaabbbb", 1.0, 1.0),
        ("aaaabbbb", "abbbbbbb", 1.0, 0.5),  # a overlaps by 1/4, b by 4/7
        ("aaaa----", "aaaa-b--", 2 / 3, 2 / 3),
        ("aaaa", "aa-a", 2 / 3, 2 / 3),  # the second piece of a segment is one too many
        ("aaaabbbb", "--------", 0.0, 0.0),
        ("----", "----", math.nan, math.nan),
        ("aaaa????", "aaaabbbb", 1.0, 1.0),  # nobody knows what was done there
    ],
)
def test_segmental_f1(truth, predicted, f1_10, f1_50):
    line = timeline(truth, predicted)
    assert stream_metrics.segmental_f1([line], 0.10) == pytest.approx(f1_10, nan_ok=True)
    assert stream_metrics.segmental_f1([line], 0.50) == pytest.approx(f1_50, nan_ok=True)


def test_time_to_the_right_label_and_missed_segments():
    delays = stream_metrics.seconds_to_label([timeline("--aaaabb--cc", "----aa------"), timeline("bb", "bb")])
    np.testing.assert_allclose(delays, [0.2, np.nan, np.nan, 0.0])


@pytest.mark.parametrize(
    "truth, predicted, seconds",
    [
        ("aa----", "aaaa--", [0.2]),
        ("aa----", "aab---", [0.0]),
        ("aa----", "------", []),  # there is nothing to give up
        ("aa---b", "aaaaab", [0.3]),
        ("aabb", "aaab", []),
    ],
)
def test_time_until_the_label_of_an_ended_action_is_given_up(truth, predicted, seconds):
    np.testing.assert_allclose(stream_metrics.seconds_to_release([timeline(truth, predicted)]), seconds)


def test_label_changes_a_minute():
    line = timeline("a" * 600, ("a" * 100 + "b" * 50) * 4)
    assert stream_metrics.changes_per_minute([line]) == pytest.approx(7)
    assert stream_metrics.changes_per_minute([line, timeline("a" * 600, "a" * 600)]) == pytest.approx(3.5)


@pytest.mark.parametrize(
    "truth, predicted, labels",
    [
        ("-" * 60, "-" * 60, 0),
        ("-" * 60, "-" * 20 + "a" * 5 + "b" * 5 + "-" * 30, 2),
        ("a" * 10 + "-" * 60, "a" * 20 + "-" * 50, 0),  # one second of grace
        ("a" * 10 + "-" * 60, "a" * 25 + "-" * 45, 1),
        ("a" * 10 + "-" * 60, "b" * 20 + "-" * 50, 1),  # a wrong label has none
        ("a" * 10 + "-" * 60, "-" * 10 + "a" * 5 + "-" * 55, 1),
    ],
)
def test_false_labels_in_idle_parts(truth, predicted, labels):
    line = timeline(truth, predicted)
    assert stream_metrics.false_labels_per_minute([line]) == pytest.approx(labels * 10)  # six seconds are idle


def test_share_of_idle_time_with_a_label():
    assert stream_metrics.false_time([timeline("aa----", "aaaa-b")]) == pytest.approx(3 / 4)
    assert math.isnan(stream_metrics.false_time([timeline("aa", "aa")]))


def test_early_recognition_of_label_and_of_best_score():
    scores = np.tile([0.6, 0.4, 0.0], (20, 1))
    early = stream_metrics.early_recognition([timeline("a" * 10 + "b" * 10, "---aaaaaaa" + "-" * 10, scores=scores)])
    np.testing.assert_allclose(early["label"], [0, 0, 0] + [0.5] * 7)
    np.testing.assert_allclose(early["best_score"], [0.5] * 10)


def test_several_people_are_pooled_not_averaged():
    long, short = timeline("a" * 90, "a" * 90), timeline("b" * 10, "-" * 10)
    assert stream_metrics.frame_accuracy([long, short]) == pytest.approx(0.9)
    assert stream_metrics.segmental_f1([long, short], 0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize("timelines", [[], [timeline("", "")], [timeline("?", "a")], [timeline("--", "--")]])
def test_nothing_to_measure_gives_a_summary_that_json_can_hold(timelines):
    summary = stream_metrics.summarise(timelines, ["a", "b", "c"])
    json.dumps(summary, allow_nan=False)
    assert summary["segments"] == 0 and summary["missed_segments"] is None


@pytest.mark.parametrize(
    "change, words",
    [
        ({"truth": [0]}, "truth has shape"),
        ({"scores": np.zeros((2, 3))}, "scores has shape"),
        ({"stamps_ns": [0, 5, 5]}, "increase"),
        ({"truth": [0, 0, 3]}, "truth holds"),
        ({"predicted": [0, -2, 0]}, "predicted holds"),
    ],
)
def test_a_timeline_that_cannot_be_is_refused(change, words):
    good = {"stamps_ns": [0, 1, 2], "truth": [0, 1, -2], "predicted": [0, -1, 2], "scores": np.zeros((3, 3))}
    Timeline(**good)
    with pytest.raises(ValueError, match=words):
        Timeline(**{**good, **change})


@st.composite
def lines(draw, least=2):
    truth = draw(st.text("aabbc--?", min_size=least, max_size=40))
    predicted = draw(st.text("aab-c", min_size=len(truth), max_size=len(truth)))
    return timeline(truth, predicted, draw(st.sampled_from([8.0, 15.0, 30.0])))


def perfect(line: Timeline) -> Timeline:
    predicted = np.where(line.truth == stream_metrics.UNLABELLED, stream_metrics.NO_CLASS, line.truth)
    return Timeline(line.stamps_ns, line.truth, predicted, (predicted[:, None] == np.arange(3)).astype(float))


@given(st.lists(lines(), min_size=1, max_size=3))
def test_the_truth_itself_scores_full_marks(streams):
    summary = stream_metrics.summarise([perfect(line) for line in streams], ["a", "b", "c"])
    shares = [summary[name] for name in ("frame_accuracy", "acting_accuracy", "macro_f1", "frame_map")]
    assert set(shares) | set(summary["segmental_f1"].values()) <= {1.0, None}
    assert summary["missed_segments"] in (0.0, None) and summary["seconds_to_label"]["p90"] in (0.0, None)
    assert summary["false_labels_per_idle_minute"] in (0.0, None) and summary["false_share_of_idle_time"] in (0.0, None)


@given(st.lists(lines(), max_size=3))
def test_shares_stay_shares_and_less_overlap_is_easier(streams):
    summary = stream_metrics.summarise(streams, ["a", "b", "c"])
    f1 = list(summary["segmental_f1"].values())
    shares = [summary[name] for name in ("frame_accuracy", "macro_f1", "frame_map", "missed_segments")] + f1
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert None in f1 or f1[0] >= f1[1] >= f1[2]
    assert (stream_metrics.seconds_to_label(streams) >= 0).sum() + round(
        (summary["missed_segments"] or 0) * summary["segments"]
    ) == summary["segments"]


@given(lines())
def test_segments_cover_every_frame_once(line):
    runs = stream_metrics.segments(line.predicted)
    assert np.concatenate([np.full(run.end - run.first, run.label) for run in runs]).tolist() == line.predicted.tolist()
    assert all(one.label != other.label and one.end == other.first for one, other in pairwise(runs))


@given(lines(), st.sampled_from([2, 3]))
def test_numbers_do_not_depend_on_the_frame_rate(line, times):
    """Every frame shown `times` times as often."""
    stamps_ns = np.round(np.arange(len(line.truth) * times) * (line.stamps_ns[1] / times))
    dense = Timeline(stamps_ns, *(np.repeat(values, times, axis=0) for values in (line.truth, line.predicted, line.scores)))
    for measure in (
        stream_metrics.frame_accuracy,
        stream_metrics.false_time,
        stream_metrics.changes_per_minute,
        stream_metrics.false_labels_per_minute,
        lambda each: stream_metrics.segmental_f1(each, 0.25),
    ):
        assert measure([dense]) == pytest.approx(measure([line]), rel=1e-6, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_average_precision_is_the_mean_precision_at_the_positives(rows):
    scores, positive = (np.array(column) for column in zip(*rows))
    expected = np.mean([positive[scores >= score].mean() for score in scores[positive]]) if positive.any() else math.nan
    assert metrics.average_precision(scores.astype(float), positive) == pytest.approx(expected, nan_ok=True)
