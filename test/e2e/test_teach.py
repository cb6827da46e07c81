"""Two exercises taught from three takes of one person in a real video, and told in the rest of it, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Seconds of the video in which three people do them side by side.
TAKES = {"side_lunge": ("0.2-3.5", "8.4-13.1", "18.0-22.6"), "chest_open": ("3.8-7.5", "13.3-17.2", "22.9-26.6")}
TEST = {"side_lunge": (27.5, 32.0), "chest_open": (32.3, 36.1)}


def tool(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pose_attention_ros.cli.main", *arguments], cwd=ROOT, capture_output=True,
                          text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_exercises_taught_from_three_takes_are_told_in_the_rest_of_the_video(shared, movenet_weights, tmp_path):
    video, taught = str(shared / "videos" / "felixchenfy_exercise.avi"), str(tmp_path / "taught.json")
    for name, takes in TAKES.items():
        said = tool("teach", "add", name, "--source", video, "--taught", taught, "--for-s", "27", "--takes", *takes)
    assert "2 taught to everyday" in said and "side_lunge" in tool("teach", "list", "--taught", taught)
    tool("run", "--source", video, "--taught", taught, "--no-video", "--out", str(tmp_path))
    labels: dict[tuple[str, int], Counter] = {}
    for line in (tmp_path / "actions.jsonl").read_text().splitlines():
        frame = json.loads(line)
        for person in frame["people"]:
            for name, (begin_s, end_s) in TEST.items():
                if begin_s + 1.5 <= frame["stamp_ns"] * 1e-9 <= end_s:
                    labels.setdefault((name, person["track_id"]), Counter())[person["label"]] += 1
    right = [name == counts.most_common(1)[0][0] for (name, _), counts in labels.items()]
    print({key: dict(counts) for key, counts in labels.items()})
    assert len(right) >= 4 and sum(right) >= 0.6 * len(right), labels
