"""The doctor finds what is wrong, says what to do, and its exit code tells a script."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from pose_attention_ros.cli import doctor
from pose_attention_ros.cli.main import main
from pose_attention_ros.inference.locations import models_dir


def findings(path: Path) -> dict[str, dict]:
    code = doctor.run(argparse.Namespace(json=path))
    found = {finding["about"]: finding for finding in json.loads(path.read_text())}
    assert code == any(finding["state"] == doctor.BAD for finding in found.values())
    return found


def test_a_whole_machine_has_no_problem(movenet_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = findings(tmp_path / "doctor.json")
    for about in ("python", "numpy", "OpenCV", "tracking", "LiteRT", "ONNX Runtime", "pose movenet_multipose",
                  "model everyday"):
        assert found[about]["state"] == doctor.GOOD, found[about]
    printed = capsys.readouterr().out
    assert all(finding["remedy"] in printed for finding in found.values())


def test_absent_weights_and_a_changed_model_are_problems_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                       capsys: pytest.CaptureFixture) -> None:
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
    found = doctor._imports("library", "broken_library", "install it again")
    assert found.state == doctor.BAD and "libX.so" in found.found and found.remedy == "install it again"
