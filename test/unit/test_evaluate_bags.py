"""`evaluate bags`: many bags in processes or on Ray, one result, and one failed bag spoils nothing."""

from __future__ import annotations

import json
import os
from xml.etree import ElementTree

import pytest
from bag_helpers import scene, write_skeleton_bag

from pose_attention_ros.bags.bag_folder import find_bags, labels_beside
from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import SourceError
from pose_attention_ros.evaluation.recordings.many_recordings import Job, in_processes
from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask

LABELS = "start_s,end_s,label\n0,2,stand\n2,4,wave\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two bags with labels in two places, and one that is junk."""
    folder = tmp_path_factory.mktemp("fleet")
    write_skeleton_bag(folder / "monday", scene(60, people=2, waves=(2, 4)))
    write_skeleton_bag(folder / "robot2" / "tuesday", scene(75, waves=(2, 4)), "sqlite3")
    (folder / "monday.csv").write_text(LABELS)
    (folder / "robot2" / "tuesday" / "labels.csv").write_text(LABELS)
    (folder / "junk").mkdir()
    (folder / "junk" / "a.mcap").write_bytes(b"no bag")
    return folder


def evaluate(fleet, out, *more):
    code = main(["evaluate", "bags", str(fleet), "--out", str(out), *more])
    result = json.loads((out / "result.json").read_text())
    timings = result.pop("timings")
    return code, result, timings


@pytest.mark.slow
def test_every_bag_is_evaluated_and_the_failed_one_is_told(fleet, tmp_path, capsys):
    (tmp_path / "limits.yaml").write_text("metrics: {frame_accuracy: {min: 0.0}}\n")
    code, result, timings = evaluate(
        fleet,
        tmp_path / "out",
        "--jobs",
        "2",
        "--thresholds",
        str(tmp_path / "limits.yaml"),
        "--thresholds-each",
        str(tmp_path / "limits.yaml"),
    )
    assert code == 1 and "FAILED junk: " in capsys.readouterr().out  # CI must see that one is missing
    assert [(bag["bag"], "error" in bag) for bag in result["bags"]] == [
        ("junk", True),
        ("monday", False),
        ("robot2/tuesday", False),
    ]
    assert (result["evaluated"], result["failed"], result["frames"]) == (2, 1, 135)
    assert result["metrics"]["segments"] == 6  # two labels for each of three people
    assert timings["stages_ms"]["all_stages"]["count"] == 135
    assert 'href="robot2/tuesday/report.html"' in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "robot2" / "tuesday" / "report.html").is_file()
    suites = {suite.get("name"): suite for suite in ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()}
    assert set(suites) == {"junk", "monday", "robot2/tuesday", "all bags"} and suites["junk"].get("errors") == "1"

    alone = main(
        ["evaluate", "bag", str(fleet / "monday"), "--labels", str(fleet / "monday.csv"), "--out", str(tmp_path / "alone")]
    )
    assert alone == 0
    one, of_many = (
        json.loads((folder / "result.json").read_text()) for folder in (tmp_path / "alone", tmp_path / "out" / "monday")
    )
    assert {**one, "timings": 0, "limits_missed": 0} == {**of_many, "timings": 0, "limits_missed": 0}


def test_ray_gives_the_same_result(fleet, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed (an optional extra, `ray`)")
    _, here, _ = evaluate(fleet, tmp_path / "here", "--jobs", "1")
    _, there, _ = evaluate(fleet, tmp_path / "there", "--ray", "local")
    assert there == here


class Bomb:
    """Ends the process that receives it, as a crash in a library would."""

    def __reduce__(self):
        return os._exit, (3,)


@pytest.mark.slow
def test_a_process_that_dies_costs_its_own_bag_alone(fleet):
    task = RecordingTask(str(fleet / "monday"), pictures=False)
    outcomes = {
        outcome.name: outcome
        for outcome in in_processes(
            [Job("first", task), Job("deadly", task, {"bomb": Bomb()}), Job("last", task)], processes=1
        )
    }
    assert outcomes["deadly"].error == "the process that evaluated it died (exit code 3)"
    assert not outcomes["first"].error and not outcomes["last"].error and outcomes["last"].values["stream"]["frames"] == 60


def test_bags_and_their_labels_are_found(fleet, tmp_path):
    assert [bag.name for bag in find_bags(fleet)] == ["junk", "monday", "tuesday"]
    assert find_bags(fleet / "monday") == [fleet / "monday"]
    assert labels_beside(fleet / "junk") is None
    assert labels_beside(fleet / "robot2" / "tuesday", fleet) is None
    with pytest.raises(SourceError, match="holds no bag"):
        find_bags(tmp_path)
    with pytest.raises(SourceError, match="does not exist"):
        find_bags(tmp_path / "nowhere")
