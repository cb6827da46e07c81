"""The doctor finds what is wrong, says what to do, and its exit code tells a script."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from pose_attention_ros.cli import doctor, doctor_ros
from pose_attention_ros.cli.doctor_checks import Finding, imports, room
from pose_attention_ros.cli.main import main
from pose_attention_ros.inference.package_paths import models_dir


def findings(path: Path) -> dict[str, dict]:
    code = doctor.run(argparse.Namespace(json=path))
    found = {finding["about"]: finding for finding in json.loads(path.read_text())}
    assert code == any(finding["state"] == doctor.BAD for finding in found.values())
    return found


@pytest.mark.slow
def test_a_whole_machine_has_no_problem(movenet_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = findings(tmp_path / "doctor.json")
    for about in ("python", "numpy", "OpenCV", "LiteRT", "ONNX Runtime", "pose movenet_multipose", "model everyday"):
        assert found[about]["state"] == doctor.GOOD, found[about]
    printed = capsys.readouterr().out
    assert all(finding["remedy"] in printed for finding in found.values())


def test_absent_weights_and_a_changed_model_are_problems_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(models_dir() / "everyday", tmp_path / "models" / "mine")
    (tmp_path / "models" / "mine" / "step.onnx").write_bytes(b"not the model")
    monkeypatch.setenv("POSE_ATTENTION_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("POSE_ATTENTION_CACHE", str(tmp_path / "nothing"))
    assert main(["doctor", "--json", str(tmp_path / "doctor.json")]) == 1
    found = {finding["about"]: finding for finding in json.loads((tmp_path / "doctor.json").read_text())}
    assert "pose-attention models fetch" in found["pose movenet_multipose"]["found"]
    assert "sha256" in found["model mine"]["found"]
    assert "problems" in capsys.readouterr().out


def test_a_library_that_does_not_load_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("raise OSError('libX.so: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    found = imports("library", "broken_library", "install it again")
    assert found.state == doctor.BAD and "libX.so" in found.found and found.remedy == "install it again"


def ros_findings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Finding]:
    """What the checks of ROS say with these environment variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return {finding.about: finding for finding in doctor_ros.ros()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "about", "words"),
    [
        ({"RMW_IMPLEMENTATION": "rmw_nonsense_cpp"}, "middleware", "sudo apt install ros-$ROS_DISTRO-rmw-nonsense-cpp"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "/no/such/profile.xml"}, "middleware", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ({"ROS_LOG_DIR": "/proc/nowhere"}, "ROS logs", "set ROS_LOG_DIR"),
        ({"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_KEYSTORE": "/no/keystore"}, "security", "create_keystore"),
    ],
)
def test_a_wrong_setting_of_ros_is_a_problem_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], about: str, words: str
) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not here")
    assert ros_findings(monkeypatch)[about].state == doctor.GOOD
    found = ros_findings(monkeypatch, **variables)[about]
    assert found.state == doctor.BAD and words in found.remedy


def test_what_is_optional_in_ros_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not here")
    found = ros_findings(monkeypatch)
    assert all(finding.state != doctor.BAD for finding in found.values()), found
    for name in ("hri_msgs", "foxglove_msgs", "cv_bridge"):
        assert found[name].state == doctor.GOOD or "apt install" in found[name].remedy


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    assert room("cache", tmp_path / "new" / "folder", 0, "choose another").state == doctor.GOOD
    (tmp_path / "file").touch()
    found = room("cache", tmp_path / "file" / "folder", 0, "choose another")
    assert (found.state, found.remedy) == (doctor.BAD, "choose another") and "cannot be written" in found.found
