"""MATLAB files: what SciPy reads, and a file that ends SciPy's process ends nothing else."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.matlab import read_mat
from pose_attention_ros.data.motion3d.utd import read_skeleton

scipy_io = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy")


def test_arrays_and_texts_are_read(tmp_path):
    scipy_io.savemat(tmp_path / "a.mat", {"x": np.arange(6.0).reshape(2, 3), "action": "squat"})
    assert read_mat(tmp_path / "a.mat")["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert str(read_mat(tmp_path / "a.mat", squeeze=True)["action"]) == "squat"


def test_scipys_own_errors_are_raised(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"no such thing" * 20)
    with pytest.raises(ValueError, match="mat file"):
        read_mat(tmp_path / "a.mat")


@pytest.mark.slow
def test_a_file_that_ends_the_reader_is_one_line_and_the_next_file_is_read(tmp_path):
    whole, bad = tmp_path / "a1_s1_t1_skeleton.mat", tmp_path / "a1_s1_t2_skeleton.mat"
    scipy_io.savemat(whole, {"d_skel": np.zeros((20, 3, 4))})
    bad.write_bytes(whole.read_bytes())
    load = scipy_io.loadmat

    def crash(path, **options):
        return os.kill(os.getpid(), signal.SIGKILL) if path == bad else load(path, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pose_attention_ros.data.matlab._reader", None)  # the next reader is a copy of this process
        patch.setattr(scipy_io, "loadmat", crash)
        with pytest.raises(UserError, match=r"a1_s1_t2_skeleton.mat is not a skeleton file of UTD-MHAD: .* damaged"):
            read_skeleton(bad)
        assert read_skeleton(whole).shape == (4, 20, 3)
