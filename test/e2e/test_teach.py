"""Two exercises taught from three takes of one person in a real video, and told in the rest of it, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.graph_stage import GraphConfig, GraphStage
from pose_attention_ros.core.teaching.lesson import Lesson
from pose_attention_ros.core.types import ActionEstimates, Skeletons
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL, find_model, load_recogniser
from pose_attention_ros.inference.teaching import Teaching

ROOT = Path(__file__).resolve().parents[2]
VIDEO = "felixchenfy_exercise.avi"
# Seconds of the video in which three people do them side by side.
TAKES = {"side_lunge": ((0.2, 3.5), (8.4, 13.1), (18.0, 22.6)), "chest_open": ((3.8, 7.5), (13.3, 17.2), (22.9, 26.6))}
TEST = {"side_lunge": (27.5, 32.0), "chest_open": (32.3, 36.1)}


def watch(stage: ActionStage, seen: list[Skeletons], lesson: Lesson | None = None) -> list[tuple[float, ActionEstimates]]:
    """Seconds and estimates of each frame; a lesson watches the tallest person of the first."""
    graph, answers = GraphStage(GraphConfig(layout=stage.spec.layout.name)), []
    for skeletons in seen:
        graphs = graph(skeletons)
        if lesson is not None and stage.lesson is None and len(graphs):
            heights = graphs.boxes_xyxy[:, 3] - graphs.boxes_xyxy[:, 1]
            lesson.track_id, stage.lesson = int(graphs.track_ids[heights.argmax()]), lesson
        answers.append(((skeletons.stamp_ns - seen[0].stamp_ns) * 1e-9, stage(graphs)))
    return answers


def test_exercises_taught_from_three_takes_are_told_in_the_rest_of_the_video(shared, movenet_weights, tmp_path):
    recogniser = load_recogniser(DEFAULT_MODEL)
    teaching = Teaching(recogniser, find_model(DEFAULT_MODEL), str(tmp_path / "taught.json"))
    camera, pose, seen = open_source(str(shared / "videos" / VIDEO), CameraConfig()), create_pose_estimator(PoseConfig()), []
    while (frame := camera.read()) is not None:
        seen.append(pose(frame))
    camera.close()
    first_ns = seen[0].stamp_ns
    for name, takes_s in TAKES.items():
        spans_ns = [(first_ns + round(begin * 1e9), first_ns + round(end * 1e9)) for begin, end in takes_s]
        lesson = Lesson(name, 0, recogniser.spec.rate_hz, None, spans_ns)
        watch(ActionStage(recogniser), seen, lesson)
        teaching.add(lesson.learnt(teaching.taught.space))
    stage = ActionStage(recogniser)
    stage.teach(Teaching(recogniser, find_model(DEFAULT_MODEL), str(tmp_path / "taught.json")).taught)
    labels: dict[tuple[str, int], Counter] = {}
    for at_s, estimates in watch(stage, seen):
        for name, (begin_s, end_s) in TEST.items():
            if begin_s + 1.5 <= at_s <= end_s:
                for person in estimates.people:
                    labels.setdefault((name, person.track_id), Counter())[person.label] += 1
    right = [name == counts.most_common(1)[0][0] for (name, _), counts in labels.items()]
    assert len(right) >= 4 and sum(right) >= 0.6 * len(right), labels


def test_the_command_line_teaches_and_looks_after_what_was_taught(shared, movenet_weights, tmp_path):
    taught, other = str(tmp_path / "taught.json"), str(tmp_path / "other.json")

    def tool(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pose_attention_ros.cli.main", "teach", *arguments, "--taught", taught],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
        return done.stdout

    said = tool(
        "add",
        "side lunge",
        "--source",
        str(shared / "videos" / VIDEO),
        "--for-s",
        "4",
        "--takes",
        "0.2-3.5",
        "--input-size",
        "192",
        "--json",
        str(tmp_path / "said.json"),
    )
    assert "take 1: 3." in said and "1 taught to everyday" in said
    assert json.loads((tmp_path / "said.json").read_text())["actions"][0]["name"] == "side lunge"
    assert "deep lunge" in tool("rename", "side lunge", "deep lunge")
    tool("export", other)
    assert "0 taught" in tool("remove", "deep lunge")
    assert "deep lunge" in Path(other).read_text()
