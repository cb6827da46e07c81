"""scripts/compare_answers.py: what two machines said of the same frames."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "compare_answers.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="scripts/ is not installed; run from a checkout")


def compared(tmp_path, here, there):
    """Exit code and what is printed for frames given as lists of (track id, label, confidence)."""
    files = []
    for name, frames in (("here", here), ("there", there)):
        lines = [
            json.dumps(
                {
                    "people": [
                        {"track_id": i, "label": label, "state": "confirmed", "confidence": confidence}
                        for i, label, confidence in frame
                    ]
                }
            )
            for frame in frames
        ]
        (tmp_path / name).write_text("\n".join(lines))
        files.append(str(tmp_path / name))
    done = subprocess.run([sys.executable, str(SCRIPT), *files], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def test_the_same_labels_pass_though_confidences_differ_in_their_last_digits(tmp_path):
    code, told = compared(tmp_path, [[], [(1, "walk", 0.9)]], [[], [(1, "walk", 0.8999)]])
    assert code == 0 and "2 frames, 1 answers compared, 0 differences" in told and "0.0001 apart" in told


@pytest.mark.parametrize(
    "there, says",
    [
        ([[(1, "run", 0.9)]], "frame 0, person 1: walk here, run there"),
        ([[(2, "walk", 0.9)]], "people [1] here, [2] there"),
        ([[(1, "walk", 0.9)], []], "1 frames here, 2 there"),
        ([[]], "[] there"),
    ],
)
def test_another_label_person_or_number_of_frames_fails(tmp_path, there, says):
    code, told = compared(tmp_path, [[(1, "walk", 0.9)]], there)
    assert code == 1 and says in told


def test_nothing_to_compare_is_no_success(tmp_path):
    assert compared(tmp_path, [[]], [[]])[0] == 1
