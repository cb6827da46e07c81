"""The measurement of joints outside the image: views, rows and tables, on a body that is drawn here."""

import numpy as np
import pytest

pytest.importorskip("benchmarks.pose_borders", reason="benchmarks/ is not installed; run from a checkout")

from benchmarks import pose_borders, pose_labelled
from benchmarks.pose_borders_tables import readable, tables
from benchmarks.pose_rows import NAMES, Records, joined, write_raw
from benchmarks.pose_shots import LAYOUT, Shot, beyond, hidden_behind, stands, views, window
from pose_attention_ros.core.types import Skeletons

TORSO = 50.0
# head, shoulders, elbows, wrists, hips, knees, ankles: left then right, torso lengths from the middle of the hips
# fmt: off
BODY = np.array([(0, -1.3), (.3, -1), (-.3, -1), (.4, -.5), (-.4, -.5), (.4, 0), (-.4, 0), (.2, 0), (-.2, 0), (.2, .85),
                 (-.2, .85), (.2, 1.7), (-.2, 1.7)])
# fmt: on


def shot(frames: int = 3) -> Shot:
    xy = np.repeat((BODY * TORSO + (200, 120))[None], frames, 0)
    images = (np.zeros((300, 400, 3), np.uint8),) * frames
    return Shot("drawn", images, xy, np.full((frames, 13), 0.8), np.zeros((0, 2)), TORSO)


class Clips:
    """An estimator whose guesses stay within the image; outside joints get a score of 0.3."""

    def __init__(self, left_top: np.ndarray) -> None:
        self.left_top = left_top

    def __call__(self, frame):
        height, width = frame.image_bgr.shape[:2]
        true = shot().truth_px[0] - self.left_top
        xy = np.clip(true, 0, (width - 5, height - 5))
        scores = np.where((xy == true).all(-1), 0.8, 0.3)
        return Skeletons(
            0,
            "",
            LAYOUT,
            (width, height),
            xy[None].astype(np.float32),
            scores[None].astype(np.float32),
            np.array([[0, 0, width, height]], np.float32),
            np.array([0.9], np.float32),
        )


def test_every_view_cuts_where_it_says_and_stays_in_the_image():
    one = shot()
    for name, cuts in views(one, np.random.default_rng(0)).items():
        part = dict(zip(("left", "top", "right", "bottom"), window(one, cuts, 1.2)))
        assert all(abs(part[side] - at) <= 0.5 for side, at in cuts.items()), name
        assert 0 <= part["left"] < part["right"] <= 400 and 0 <= part["top"] < part["bottom"] <= 300, name
    legs = views(one, np.random.default_rng(0))["legs"]
    outside = np.flatnonzero(beyond(one.truth_px[0], legs)["bottom"] > 0)
    assert {LAYOUT.joints[v] for v in outside} == {"left_knee", "right_knee", "left_ankle", "right_ankle"}


def test_lying_people_do_not_stand():
    assert stands(BODY) and not stands(BODY[:, ::-1])


def test_guesses_at_the_border_are_measured_from_it(monkeypatch):
    one, into = shot(), {name: Records() for name in ("seen", "cut", "tremble")}
    monkeypatch.setattr(pose_borders, "views", lambda *_: {"legs": {"bottom": 150.0}})
    part = window(one, {"bottom": 150.0}, 1.0)
    monkeypatch.setattr(pose_borders, "window", lambda *_: part)
    pose_borders.cut_shot(Clips(np.array(part[:2])), one, 0, np.random.default_rng(0), into)
    result = tables({name: rows.arrays() for name, rows in into.items()})
    seen = result["seen"]["legs"]
    assert seen["frames"] == 3 and seen["nobody_found"] == seen["found_elsewhere"] == seen["one_more_person"] == 0
    ankles = result["cut"]["outside"]["ankle"]["over 0.75"]
    assert ankles["n"] == 6 and ankles["there"] == 1 and ankles["score_mean"] == pytest.approx(0.3)
    assert ankles["inset_mean"] == pytest.approx(5 / TORSO) and ankles["along_mean"] == pytest.approx(0, abs=1e-3)
    assert result["cut"]["inside"]["shoulder"]["over 1"]["error_50"] == 0
    assert "ankle" in readable(result)


def test_raw_files_join_with_shots_kept_apart(tmp_path):
    for name in ("a", "b"):
        write_raw(tmp_path / f"{name}.npz", {"seen": {"shot": np.zeros(2, int), "more": np.ones(2)}, "cut": {}})
    rows = joined([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert len(np.unique(rows["seen"]["shot"])) == 2 and rows["seen"]["more"].tolist() == [1] * 4
    assert set(rows) == set(NAMES) and rows["cut"] == {}


def test_left_and_right_that_change_places_are_swapped():
    rows, scores = Records(), np.full(13, 0.8)
    exchanged = BODY.copy()
    exchanged[[9, 10]] = BODY[[10, 9]]
    pose_labelled._pair(rows, "walk", [(BODY * TORSO, scores), (exchanged * TORSO, scores)])
    columns = rows.arrays()
    assert LAYOUT.joints[int(np.flatnonzero(columns["swapped"])[0])] == "left_knee" and columns["swapped"].sum() == 1
    assert columns["judged"].sum() == 6 and not columns["lying"].any()


def test_a_cover_hides_its_rectangle_only():
    image = np.full((40, 60, 3), 200, np.uint8)
    covered = hidden_behind(image, (10, 20, 50, 40), True, 3)
    assert (covered[:20] == 200).all() and (covered[20:, 10:50] != 200).any() and (image == 200).all()
