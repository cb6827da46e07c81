"""`evaluate video`: videos judged as bags are: the same stages, numbers and files; what is not labelled is not judged."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pose_attention_ros.bags.writing import BagWriter, image_message
from pose_attention_ros.cameras import open_source
from pose_attention_ros.cli.main import main
from pose_attention_ros.evaluation.recordings.recorded import open_recorded

pytestmark = pytest.mark.slow

FRAMES = 45  # 1.5 s


@pytest.fixture(scope="module")
def videos(tmp_path_factory, shared, movenet_weights):
    """The beginning of a real video of a man in his living room, with labels beside it, and a file that is no video."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "room").mkdir()
    camera = open_source(str(shared / "real" / "home" / "s2_fall_13.mp4"))
    half = camera.size[0] // 2, camera.size[1] // 2
    writer = cv2.VideoWriter(str(folder / "room" / "man.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, half)
    for _ in range(FRAMES):
        writer.write(cv2.resize(camera.read().image_bgr, half, interpolation=cv2.INTER_AREA))
    writer.release()
    camera.close()
    (folder / "room" / "man.csv").write_text("start_s,end_s,label\n0.3,0.7,stand\n0.6,0.9,unknown\n1.0,1.3,juggle\n")
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "._man.avi").write_bytes(b"macOS")
    return folder


def evaluate(source, out, *more):
    code = main(["evaluate", "video", str(source), "--out", str(out), *more])
    result = out / "result.json"
    return code, json.loads(result.read_text()) if result.is_file() else None


@pytest.fixture(scope="module")
def alone(videos, tmp_path_factory):
    """One video with the labels beside it: the folder of the result, and the result."""
    out = tmp_path_factory.mktemp("alone")
    code, result = evaluate(videos / "room" / "man.avi", out)
    assert code == 0
    return out, result


@pytest.mark.slow
def test_one_video_with_the_labels_beside_it(alone):
    out, result = alone
    assert result["bag"] == "man.avi" and result["stream"]["frames"] == FRAMES
    assert result["input"] == {"kind": "images", "topic": "man.avi", "type": "video", "messages": FRAMES}
    assert set(result["timings"]["stages_ms"]) == {"pose", "graph", "action", "all_stages"}
    assert len(result["people"]) == 1 and result["recorded"] == {"age_ms": result["recorded"]["age_ms"], "dropped": None}
    assert result["recorded"]["age_ms"]["count"] == 0  # nobody recorded it, so nothing is said of the recorder's delay
    report = (out / "report.html").read_text()
    assert "data:image/jpeg" in report and "Answers to each label" in report and (out / "junit.xml").is_file()


@pytest.mark.slow
def test_what_is_not_labelled_or_not_known_is_not_judged(alone):
    """0.3 to 0.6 s stand, 0.7 to 0.9 s no class; the overlap, the class that the model lacks and the rest are left out."""
    _, result = alone
    assert result["labels"]["spans"] == 3 and result["labels"]["labelled_person_frames"] == pytest.approx(15, abs=2)
    assert result["metrics"]["segments"] == 1 and result["metrics"]["minutes"] == pytest.approx(0.5 / 60, abs=0.003)
    reasons = " ".join(result["left_out"])
    assert "'juggle' is no class of the model" in reasons and "overlap with different labels" in reasons
    shown = {label: sum(answers.values()) for label, answers in result["labels"]["answered_s"].items()}
    assert shown == pytest.approx({"juggle": 0.3, "stand": 0.3, "unknown": 0.2}, abs=0.07)


def test_a_folder_gives_the_same_numbers_again_and_tells_what_failed(videos, alone, tmp_path, capsys):
    code, result = evaluate(videos, tmp_path, "--jobs", "1")
    assert code == 1 and "FAILED broken.mp4: " in capsys.readouterr().out
    assert [(video["bag"], "error" in video) for video in result["bags"]] == [("broken.mp4", True), ("room/man.avi", False)]
    of_many = json.loads((tmp_path / "room" / "man.avi" / "result.json").read_text())
    rest = {"timings": 0, "bag": ""}
    assert {**alone[1], **rest} == {**of_many, **rest}  # to the last digit
    assert result["labels"]["answered_s"] == of_many["labels"]["answered_s"]
    report = (tmp_path / "report.html").read_text()
    assert "1 of 2 videos evaluated" in report and 'href="room/man.avi/report.html"' in report


@pytest.mark.slow
def test_a_bag_of_the_same_images_gives_the_same_answers(videos, alone, tmp_path):
    camera = open_source(str(videos / "room" / "man.avi"), start_stamp_ns=10**18)
    with BagWriter(tmp_path / "bag") as bag:
        while (frame := camera.read()) is not None:
            bag.write("/image", frame.stamp_ns, image_message(frame))
    assert (
        main(
            [
                "evaluate",
                "bag",
                str(tmp_path / "bag"),
                "--labels",
                str(videos / "room" / "man.csv"),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    of_bag = json.loads((tmp_path / "out" / "result.json").read_text())
    assert of_bag["people"] == alone[1]["people"] and of_bag["metrics"] == alone[1]["metrics"]


@pytest.mark.slow
def test_labels_that_are_no_class_may_be_given_a_meaning(videos, tmp_path):
    (tmp_path / "map.yaml").write_text("juggle: null\n")
    (tmp_path / "limits.yaml").write_text("labels: {labelled_person_frames: {min: 1000}}\n")
    code, result = evaluate(
        videos / "room" / "man.avi",
        tmp_path / "out",
        "--label-map",
        str(tmp_path / "map.yaml"),
        "--thresholds",
        str(tmp_path / "limits.yaml"),
        "--max-frames",
        "38",
    )
    assert code == 1 and not any("juggle" in reason for reason in result["left_out"])
    assert result["metrics"]["false_labels_per_idle_minute"] is not None


def test_a_video_that_breaks_off_says_how_much_is_lost(tmp_path):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for level in range(40):
        writer.write(np.full((48, 64, 3), 5 * level, np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_recorded(str(path), video=True) as recorded:
        stamps_s = [frame.stamp_ns * 1e-9 for _, frame in recorded.items()]
    assert 5 < len(stamps_s) < 35 and stamps_s == pytest.approx(np.arange(len(stamps_s)) / 10)
    assert recorded.left_out.reasons == {"frames that the file announces and that cannot be read": 40 - len(stamps_s)}


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["absent.mp4"], "does not exist"),
        (["empty"], "holds no video"),
        (["two", "--labels", "two/a.csv"], "is for one video"),
        (["two/a.avi", "--labels", "absent.csv"], "absent.csv does not exist"),
        (["two/a.csv"], "is not a video"),
    ],
)
def test_wrong_arguments(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.csv").write_text("start_s,end_s,label\n0,1,walk\n")
    for name in ("a", "b"):
        writer = cv2.VideoWriter(f"two/{name}.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (32, 24))
        writer.write(np.zeros((24, 32, 3), np.uint8))
        writer.release()
    assert main(["evaluate", "video", *arguments, "--out", "out"]) == 1
    assert words in capsys.readouterr().err
