"""`evaluate bag`: labels, numbers, limits, report, and what it says of labels that do not fit."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from bag_helpers import START_NS, model_message, scene, skeletons, string, write_skeleton_bag
from hypothesis import given
from hypothesis import strategies as st

from pose_attention_ros.bags.identities import IdSwitches
from pose_attention_ros.bags.label_sources import read_labels
from pose_attention_ros.bags.writing import BagWriter, actions_message, skeletons_message
from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, LabelState
from pose_attention_ros.evaluation.recordings.durations import Durations, LiveClock
from pose_attention_ros.inference.recogniser import load_recogniser

pytestmark = pytest.mark.slow

LABELS = "start_s,end_s,label\n0,2,stand\n2,5,wave\n5,8,stand\n"


@pytest.fixture(scope="module")
def waving(tmp_path_factory):
    """Eight seconds in which the first of two people waves from 2 to 5 s."""
    folder = tmp_path_factory.mktemp("waving")
    write_skeleton_bag(folder / "bag", scene(120, people=2, waves=(2, 5)))
    (folder / "labels.csv").write_text(LABELS)
    return folder


def evaluate(folder, *more, bag="bag", labels="labels.csv", out="out"):
    """The exit code and the result."""
    options = ["--labels", str(folder / labels)] if labels else []
    code = main(["evaluate", "bag", str(folder / bag), *options, "--out", str(folder / out), *more])
    result = folder / out / "result.json"
    return code, json.loads(result.read_text()) if result.is_file() else None


def test_result_report_and_junit(waving, capsys):
    (waving / "limits.yaml").write_text(
        "metrics: {frame_accuracy: {min: 0.1}, id_switches: {max: 0}, segmental_f1: {'0.50': {min: 0.0, max: 1.0}}}\n"
        "left_out: {}\n".replace("left_out: {}\n", "")
    )
    code, result = evaluate(waving, "--thresholds", str(waving / "limits.yaml"), "--json", str(waving / "same.json"))
    assert code == 0 and json.loads((waving / "same.json").read_text()) == result
    assert result["input"] == {
        "kind": "skeletons",
        "topic": "/skeletons",
        "type": "pose_attention_ros/msg/SkeletonArray",
        "messages": 120,
    }
    assert result["stream"]["frames"] == 120 and result["stream"]["median_rate_hz"] == pytest.approx(15, rel=0.02)
    metrics = result["metrics"]
    assert {
        "frame_accuracy",
        "macro_f1",
        "frame_map",
        "segmental_f1",
        "early_recognition",
        "seconds_to_label",
        "false_labels_per_idle_minute",
        "id_switches",
    } <= set(metrics)
    assert metrics["segments"] == 6 and metrics["id_switches"] == 0  # two people, three labels each
    assert set(result["timings"]["stages_ms"]) == {"graph", "action", "all_stages"}
    assert {"p50", "p95", "p99", "worst"} <= set(result["timings"]["stages_ms"]["graph"])
    assert result["recorded"]["age_ms"]["p50"] == pytest.approx(40, rel=0.02)
    first = next(person for person in result["people"] if person["truth"])
    assert [run[2] for run in first["truth"]] == ["stand", "wave", "stand"]

    html = (waving / "out" / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", html)  # needs nothing from elsewhere
    for text in ("Time line", "How right", "Worst moments", "data:image/jpeg;base64,", "all 4 limits met", "How fast"):
        assert text in html, text
    suite = ElementTree.parse(waving / "out" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "0")


@pytest.mark.slow
def test_two_runs_differ_in_timings_alone(waving):
    texts = []
    for out in ("first", "second"):
        evaluate(waving, out=out)
        result = json.loads((waving / out / "result.json").read_text())
        del result["timings"]
        texts.append(json.dumps(result, indent=2))
    assert texts[0] == texts[1]


def test_a_limit_that_is_missed_fails(waving, capsys):
    (waving / "hard.yaml").write_text("metrics: {frame_accuracy: {min: 1.01}}\n")
    code, result = evaluate(waving, "--thresholds", str(waving / "hard.yaml"), "--junit", str(waving / "hard.xml"))
    assert code == 1 and "MISSED metrics/frame_accuracy: at least 1.01 wanted" in capsys.readouterr().out
    failure = ElementTree.parse(waving / "hard.xml").getroot().find("testsuite/testcase/failure")
    assert "at least 1.01 wanted" in failure.get("message")
    assert result["limits_missed"] == [failure.get("message")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "metrics: {frame_acuracy: {min: 0.5}}",
            "the result has no metrics/frame_acuracy; at 'frame_acuracy' it has people",
        ),
        ("metrics: {frame_accuracy: 0.5}", "metrics/frame_accuracy is 0.5, expected a mapping"),
        ("metrics: {frame_accuracy: {least: 0.5}}", "expected a mapping"),
        ("metrics: {frame_accuracy: {min: high}}", "has min: 'high', expected min or max and a number"),
        ("[]", "hold no mapping"),
        ("metrics: {", "is not a file of thresholds in YAML"),
    ],
)
def test_limits_with_a_mistake(waving, capsys, text, message):
    (waving / "odd.yaml").write_text(text)
    assert evaluate(waving, "--thresholds", str(waving / "odd.yaml"))[0] == 1
    assert message in capsys.readouterr().err


def test_a_bag_that_cannot_be_evaluated_is_an_error_in_junit(tmp_path, capsys):
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/chatter", START_NS, string("hello"))
    assert evaluate(tmp_path, labels=None)[0] == 1
    assert "holds nothing of images, skeletons, skeleton_graphs, actions" in capsys.readouterr().err
    error = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot().find("testsuite/testcase/error")
    assert "holds nothing of" in error.get("message")


def test_without_labels_it_tells_the_rest(waving):
    code, result = evaluate(waving, labels=None, out="bare")
    assert code == 0 and result["labels"] is None and "frame_accuracy" not in result["metrics"]
    assert "Surest moments" in (waving / "bare" / "report.html").read_text() or not result["people"]


def test_recorded_actions_are_judged_as_they_are(tmp_path):
    """Their classes come from the action_model in the bag; images without an answer were dropped by the robot."""
    spec = load_recogniser("everyday").spec
    joints, scores = len(spec.layout.joints), np.full(len(spec.classes), 1 / len(spec.classes), np.float32)
    with BagWriter(tmp_path / "bag") as writer:
        writer.write("/action_model", START_NS, model_message(spec))
        for i in range(60):
            stamp = START_NS + i * 10**8
            writer.write("/skeletons", stamp + 10**7, skeletons_message(skeletons(stamp, [])))
            writer.write("/camera_info", stamp + 1, camera_info(stamp))
            if i % 3 == 2:
                continue
            person = ActionEstimate(
                7,
                "wave",
                LabelState.CONFIRMED,
                0.9,
                scores,
                stamp,
                stamp,
                stamp,
                np.full(joints, 1 / joints, np.float32),
                np.ones(1, np.float32),
                np.array([stamp]),
            )
            estimates = ActionEstimates(stamp, "cam", spec.layout, spec.classes, spec.model_id, spec.sha256, (person,))
            writer.write("/actions", stamp + 50_000_000, actions_message(estimates))
    (tmp_path / "labels.csv").write_text("start_s,end_s,label,person\n0,3,wave,7\n3,9,clap,7\n")
    code, result = evaluate(tmp_path, "--input", "actions")
    assert code == 0 and result["input"]["kind"] == "actions"
    assert result["metrics"]["frame_accuracy"] == pytest.approx(0.5, abs=0.03)
    assert result["recorded"]["dropped"] == {
        "frames_topic": "/camera_info",
        "frames": 60,
        "without_result": 20,
        "share": 0.3333,
    }
    assert result["recorded"]["age_ms"]["p50"] == pytest.approx(50, rel=0.02)
    assert any("goes on for" in reason for reason in result["left_out"])


def camera_info(stamp_ns):
    from pose_attention_ros.bags.writing import header_of, make

    region = make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header_of(stamp_ns),
        height=1,
        width=1,
        distortion_model="",
        d=np.zeros(0),
        k=np.zeros(9),
        r=np.zeros(9),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


def test_labels_from_a_topic(tmp_path):
    records = scene(90)
    with BagWriter(tmp_path / "bag") as writer:
        for record in records:
            writer.write("/skeletons", record.stamp_ns, skeletons_message(record))
        for second, text in ((1, "stand"), (3, ""), (4, "stand")):
            writer.write("/truth", START_NS + second * 10**9, string(text))
    code, result = evaluate(tmp_path, "--labels-topic", "/truth", labels=None)
    assert code == 0
    runs = [[round(run[0], 1), round(run[1], 1), run[2]] for run in result["people"][0]["truth"]]
    assert runs == [[1.0, 3.0, "stand"], [4.0, 5.9, "stand"]]


@pytest.mark.parametrize(
    ("labels", "reason", "spans"),
    [
        (LABELS + "9,12,wave\n", "row 4 (wave) lies outside the recording", 4),
        (LABELS + "4,6,clap\n", "row 2 and row 4 overlap with different labels (clap, wave): 1.00 s are not counted", 4),
        (LABELS.replace("wave", "salute"), "'salute' is no class of the model and is not counted", 3),
        (LABELS + "seven,8,wave\n", "row 4 is left out: start_s 'seven' or end_s '8' is not a number", 3),
        (LABELS + "7,6,wave\n", "row 4 is left out: it goes from 7 to 6 s, expected 0 <= start_s < end_s", 3),
    ],
)
def test_labels_that_do_not_fit_are_left_out_and_told(waving, labels, reason, spans):
    (waving / "odd.csv").write_text(labels)
    code, result = evaluate(waving, labels="odd.csv", out="odd")
    assert code == 0 and result["labels"]["spans"] == spans
    assert any(reason in told for told in result["left_out"]), result["left_out"]
    assert reason.split(": ")[0].replace("'", "&#x27;") in (waving / "odd" / "report.html").read_text()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("start_s,label\n0,wave\n", "lack the column end_s; expected start_s,end_s,label[,person,x_px,y_px]"),
        ("start_s,end_s,label\n100,200,wave\n", "all labels lie outside the recording: they go from 100.0 to 200.0 s"),
        ("start_s,end_s,label\nx,y,wave\n", "have no row that can be used"),
        (
            "start_s,end_s,label\n0,1,wave\n1700000001,1700000002,wave\n",
            "mix times since the beginning with times since 1970",
        ),
        (None, "cannot be read: No such file"),
    ],
)
def test_labels_of_which_nothing_can_be_used(waving, capsys, labels, message):
    (waving / "bad.csv").unlink(missing_ok=True)
    if labels is not None:
        (waving / "bad.csv").write_text(labels)
    assert evaluate(waving, labels="bad.csv", out="bad")[0] == 1
    assert message in capsys.readouterr().err


def test_people_are_found_by_number_or_by_place(waving):
    """The waving person stands left; whom nobody labelled is not judged."""
    (waving / "people.csv").write_text("start_s,end_s,label,person,x_px,y_px\n2,5,wave,ann,120,240\n0,2,stand,1,,\n")
    _, result = evaluate(waving, labels="people.csv", out="people")
    ann = next(person for person in result["people"] if person["person"] == "ann")
    assert len(ann["tracks"]) == 1 and ann["truth"] == [[2.0, 5.0, "wave"]]
    (waving / "nobody.csv").write_text("start_s,end_s,label,person\n0,2,stand,ann\n0,2,stand,1\n")
    _, result = evaluate(waving, labels="nobody.csv", out="people")
    assert any("person 'ann' is no track number" in reason for reason in result["left_out"])


def test_a_labelled_person_whom_nobody_tracks_counts_as_unknown(waving):
    (waving / "ghost.csv").write_text("start_s,end_s,label,person\n0,8,wave,99\n")
    _, result = evaluate(waving, labels="ghost.csv", out="ghost")
    assert result["metrics"]["frame_accuracy"] == 0 and result["metrics"]["missed_segments"] == 1


def test_a_map_and_unlabelled_time(waving, capsys):
    (waving / "map.yaml").write_text("wave: null\nstand: stand\n")
    (waving / "short.csv").write_text("start_s,end_s,label\n2,5,wave\n")
    _, result = evaluate(waving, "--label-map", str(waving / "map.yaml"), "--rest-is-unknown", labels="short.csv")
    assert (
        result["metrics"]["idle_minutes"] == pytest.approx(result["metrics"]["minutes"])
        and result["metrics"]["segments"] == 0
    )
    (waving / "map.yaml").write_text("wave: fly\n")
    assert evaluate(waving, "--label-map", str(waving / "map.yaml"))[0] == 1
    assert "the label map names fly, which the model does not know" in capsys.readouterr().err


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("ab")), min_size=1, max_size=12))
def test_overlapping_labels_never_contradict_each_other(tmp_path_factory, rows):
    """At every moment there is the one label that all rows give, or none."""
    path = tmp_path_factory.mktemp("labels") / "l.csv"
    path.write_text("start_s,end_s,label\n" + "".join(f"{a},{a + n},{label}\n" for a, n, label in rows))
    labels = read_labels(path, LeftOut())
    labels.begin(START_NS)
    for half in range(150):
        wanted = {label for a, n, label in rows if a <= half / 2 < a + n}
        found = labels.at("", START_NS + half * 500_000_000)
        assert (found.label if found else None) == (wanted.pop() if len(wanted) == 1 else None)


def test_an_id_that_ends_and_begins_at_one_place_is_a_switch():
    here, there = np.array([0, 0, 50, 100.0]), np.array([400, 0, 450, 100.0])
    watch = IdSwitches()
    frames = [{1: here}, {1: here, 2: there}, {2: there}, {2: there, 3: here + 5}, {2: there, 3: here}]
    for frame, boxes in enumerate(frames):
        watch.add(frame * 10**8, boxes)
    assert watch.count == 1 and watch.successor == {1: 3} and watch.events[0]["gap_s"] == 0.2


@given(st.lists(st.floats(1e-5, 10), min_size=1, max_size=300))
def test_percentiles_from_bins_are_true_to_one_per_cent(seconds):
    durations = Durations()
    for each in seconds:
        durations.add(each)
    ordered = sorted(seconds)
    for share in (0.5, 0.95, 0.99):
        exact = ordered[max(int(np.ceil(share * len(ordered) - 1e-9)) - 1, 0)]
        assert durations.quantile_s(share) == pytest.approx(exact, rel=0.011)
    assert durations.worst_s == ordered[-1] and len(durations) == len(seconds)


def test_a_slow_machine_would_drop_frames_live():
    clock = LiveClock()
    for i in range(30):
        clock.add(i * 0.1, 0.25)
    clock.finish()
    assert clock.dropped == pytest.approx(30 - 3.0 / 0.25, abs=2) and 0.25 <= clock.ages.quantile_s(0.5) <= 0.36


def test_labels_file_that_is_not_text(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"\xff\xfe\x00start")
    with pytest.raises(UserError, match="cannot be read"):
        read_labels(tmp_path / "labels.csv", LeftOut())


@pytest.mark.slow
def test_two_processes_give_the_same_as_one(waving, monkeypatch):
    """What could not be used is told all the same."""
    from pose_attention_ros.evaluation.recordings import recognition
    from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask, evaluate_recording

    records = scene(100, people=2)
    write_skeleton_bag(waving / "odd_bag", [*records[:60], records[10], *records[60:]])
    monkeypatch.setattr(recognition, "WORTH_A_PROCESS", 50)
    results = []
    for two in (False, True):
        values = evaluate_recording(
            RecordingTask(str(waving / "odd_bag"), labels=str(waving / "labels.csv"), two_processes=two)
        ).values
        assert ("processes" in values.pop("timings")) == two
        results.append(values)
    assert results[0] == results[1] and any("out of order" in reason for reason in results[0]["left_out"])


@pytest.mark.usefixtures("movenet_weights")
@pytest.mark.parametrize("packed", [False, True])
def test_images_in_which_nobody_is_to_be_seen(tmp_path, packed):
    """All stages run; a label without anybody is told, and no number is made up for it."""
    from pose_attention_ros.bags.writing import compressed_message, image_message
    from pose_attention_ros.core.types import Frame

    with BagWriter(tmp_path / "bag") as writer:
        for i in range(8):
            frame = Frame(np.full((120, 160, 3), 90, np.uint8), START_NS + i * 10**8, "cam")
            writer.write("/image", frame.stamp_ns, compressed_message(frame) if packed else image_message(frame))
    (tmp_path / "labels.csv").write_text("start_s,end_s,label\n0,0.45,wave\n")
    code, result = evaluate(tmp_path)
    assert code == 0 and result["input"]["kind"] == "images" and result["stream"]["frames"] == 8
    assert set(result["timings"]["stages_ms"]) == {"pose", "graph", "action", "all_stages"}
    assert result["people"] == [] and "frame_accuracy" not in result["metrics"]
    assert result["labels"]["frames_with_a_label_and_nobody_tracked"] == 5
