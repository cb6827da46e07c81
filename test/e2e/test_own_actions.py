"""From one's own recording to a running recogniser: bag -> data set -> fine-tuned model -> exported -> another bag.

The bags are made here from real video: three people at gymnastics, who go through the same exercises four times. They
teach the first three rounds and are tested on the fourth.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

from pose_attention_ros.bags.writing import BagWriter, compressed_message
from pose_attention_ros.cameras import open_source
from pose_attention_ros.cli.main import main
from pose_attention_ros.inference.recogniser import load_recogniser

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]
START_NS = 1_700_000_000 * 10**9
TEST_FROM_S = 27.4
# start_s,end_s,label of the whole video, for all three people
# fmt: off
EXERCISES = ((0.2, 3.5, "side_lunge"), (3.8, 7.5, "chest_open"), (8.4, 13.1, "side_lunge"), (13.3, 17.2, "chest_open"),
             (18.0, 22.6, "side_lunge"), (22.9, 26.6, "chest_open"), (27.5, 32.0, "side_lunge"), (32.3, 36.1, "chest_open"))
# fmt: on
RECIPE = """
model_id: gymnastics
start_from: everyday
data: {own: {val_share: 0.0}}
classes: {side_lunge: {own: [side_lunge]}, chest_open: {own: [chest_open]}}
train: {epochs: 3, streams_per_epoch: 192, batch: 16, muon: true, learning_rate: 4.0e-3, average: 0.9}
stream: {longest_s: 3.5}
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, shared, movenet_weights) -> Path:
    """Two bags of compressed images with their labels beside them."""
    folder = tmp_path_factory.mktemp("own")
    camera = open_source(str(shared / "videos" / "felixchenfy_exercise.avi"), start_stamp_ns=START_NS)
    with BagWriter(folder / "teach" / "monday") as teach, BagWriter(folder / "tuesday", "sqlite3") as test:
        while (frame := camera.read()) is not None:
            early = (frame.stamp_ns - START_NS) * 1e-9 < TEST_FROM_S
            (teach if early else test).write("/camera/image/compressed", frame.stamp_ns, compressed_message(frame))
    rows = [(begin, end, label) for begin, end, label in EXERCISES if end < TEST_FROM_S]
    write_labels(folder / "teach" / "monday.csv", rows, 0)
    write_labels(folder / "tuesday.csv", [row for row in EXERCISES if row not in rows], TEST_FROM_S)
    return folder


def write_labels(path: Path, rows: list, begin_s: float) -> None:
    lines = (f"{begin - begin_s:.2f},{end - begin_s:.2f},{label}\n" for begin, end, label in rows)
    path.write_text("start_s,end_s,label\n" + "".join(lines))


def test_own_actions(recordings, capsys):
    data, out, told = recordings / "own.npz", recordings / "run", recordings / "data.json"
    assert main(["data", "import", "bag", str(recordings / "teach"), str(data), "--json", str(told)]) == 0
    labels = json.loads(told.read_text())["labels"]
    assert set(labels) == {"side_lunge", "chest_open"}
    assert all(counts["train"] >= 6 and counts["val"] >= 3 for counts in labels.values())

    (recordings / "own.yaml").write_text(RECIPE)
    assert main(["train", str(recordings / "own.yaml"), "--data", str(data), "--out", str(out)]) == 0
    model = out / "gymnastics"
    spec = load_recogniser(str(model)).spec  # what the action node's parameter `model` takes
    assert spec.classes == ("side_lunge", "chest_open")
    assert spec.threshold == load_recogniser("everyday").spec.threshold  # too few clips to choose another

    assert (
        main(
            [
                "evaluate",
                "bag",
                str(recordings / "tuesday"),
                "--labels",
                str(recordings / "tuesday.csv"),
                "--model",
                str(model),
                "--out",
                str(recordings / "report"),
            ]
        )
        == 0
    )
    result = json.loads((recordings / "report" / "result.json").read_text())
    assert len(result["people"]) == 3 and not result["left_out"]
    assert result["metrics"]["frame_accuracy"] > 0.5  # chance, with two classes and unknown, is below a half
    assert result["metrics"]["segmental_f1"]["0.10"] > 0.6
    assert "data:image/jpeg" in (recordings / "report" / "report.html").read_text()
    if importlib.util.find_spec("rclpy") is not None:
        runs_in_the_graph(model, recordings / "tuesday", recordings / "graph")


def runs_in_the_graph(model: Path, bag: Path, out: Path) -> None:
    """The new model in the nodes of the robot, on the bag as the camera."""
    demo = [sys.executable, "scripts/demo.py", "--composed", "--source", str(bag), "--model", str(model), "--out", str(out)]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [*demo, "--max-frames", "25"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["model"] == "gymnastics" and summary["frames"] == 25
    assert {track["dominant_label"] for track in summary["tracks"]} <= {"side_lunge", "chest_open", "unknown"}
