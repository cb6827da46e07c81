"""Who is who: through crossings, behind one another, in any order, at any rate."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
pytest.importorskip("benchmarks.tracking", reason="benchmarks/ is not installed; run from a checkout")

from benchmarks.crowd import CrowdConfig, crowd  # noqa: E402
from benchmarks.tracking import of_crowds  # noqa: E402
from pose_attention_ros.core.people import tracking  # noqa: E402
from pose_attention_ros.core.people.tracking import PersonTracker, TrackingConfig  # noqa: E402
from pose_attention_ros.core.people.tracks import Tracks, sightings  # noqa: E402

pytestmark = pytest.mark.slow

# Somebody in boxes of 40 x 100 pixels: 13 joints from the middle.
JOINTS = np.random.default_rng(0).uniform((-20, -50), (20, 50), (13, 2))


def track(tracker, middles, dt_s=0.1, scores=None, joints=None):
    """One frame of people around these middles (N, 2); returns their ids."""
    middles = np.array(middles, float).reshape(-1, 2)
    boxes = np.concatenate([middles - (20, 50), middles + (20, 50)], 1).astype(np.float32)
    keypoints = (middles[:, None] + (JOINTS if joints is None else joints)).astype(np.float32)
    ids, alive = tracker(
        keypoints,
        np.ones(keypoints.shape[:2], bool),
        boxes,
        np.full(len(middles), 0.5) if scores is None else np.array(scores),
        dt_s,
    )
    assert set(ids[ids >= 0].tolist()) <= set(alive)
    return ids.tolist()


def walked(places, dt_s=0.1, tracker=None, scores=None):
    """One person at these x; ids of each frame."""
    tracker = tracker or PersonTracker()
    return [track(tracker, [(x, 200)] if x is not None else [], dt_s, scores)[0:1] for x in places]


@pytest.mark.parametrize(
    "people, seeds, most_switches, most_fragments", [(2, 2, 0, 0), (4, 2, 0, 0), (6, 2, 0, 0), (10, 2, 0, 1), (20, 1, 9, 7)]
)
def test_ids_in_crowds_that_cross(people, seeds, most_switches, most_fragments):
    switches, fragments, sightings = of_crowds(people, seeds)
    assert sightings > 60 * people and switches <= most_switches and fragments <= most_fragments


def test_ids_do_not_depend_on_the_order_of_people():
    frames, rng = crowd(CrowdConfig(8, seconds=4, seed=3)), np.random.default_rng(0)
    one, other = PersonTracker(), PersonTracker()
    for skeletons, _ in frames:
        people = (skeletons.keypoints_px, skeletons.scores > 0.2, skeletons.boxes_xyxy, skeletons.person_scores)
        order = rng.permutation(len(skeletons))
        alive = one(*people, 0.1)[1]
        assert other(*(each[order] for each in people), 0.1)[1] == alive
    shuffled, _ = other(*(each[order] for each in people), 0.0)
    np.testing.assert_array_equal(one(*people, 0.0)[0][order], shuffled)


@pytest.mark.parametrize("people, fps", [(5, 10), (6, 30)])
def test_where_nobody_has_a_choice_turns_come_to_the_same(people, fps, monkeypatch):
    frames = crowd(CrowdConfig(people, seconds=6, fps=fps, seed=people))
    seen = [(s.keypoints_px, s.scores > 0.2, s.boxes_xyxy, s.person_scores) for s, _ in frames]
    one, shortcuts = PersonTracker(), []
    shortcut = tracking.without_choice
    monkeypatch.setattr(tracking, "without_choice", lambda fits: shortcuts.append(shortcut(fits)) or shortcuts[-1])
    quick = [one(*each, 1 / fps) for each in seen]
    assert {each is None for each in shortcuts} == {True, False}  # both ways were taken
    monkeypatch.setattr(tracking, "without_choice", lambda fits: None)
    other = PersonTracker()
    for each, (ids, alive) in zip(seen, quick):
        ids_in_turns, alive_in_turns = other(*each, 1 / fps)
        np.testing.assert_array_equal(ids_in_turns, ids)
        assert alive_in_turns == alive


def test_all_tracks_are_corrected_as_each_alone_is():
    rng = np.random.default_rng(1)

    def people():
        corner = rng.uniform(0, 500, (4, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(40, 90, (4, 2))], 1).astype(np.float32)
        return sightings(rng.uniform(0, 500, (4, 13, 2)).astype(np.float32), rng.uniform(size=(4, 13)) > 0.2, boxes)

    first, rows = people(), np.array([2, 0, 3, 1])
    together, alone = Tracks(first), Tracks(first)
    for _ in range(3):
        seen = people()
        for tracks in (together, alone):
            tracks.predict(0.1)
        together.correct(rows, seen)
        for person in range(len(rows)):
            alone.correct(rows[person : person + 1], seen.taken(np.array([person])))
        for name in Tracks._NAMES:
            np.testing.assert_array_equal(getattr(together, name), getattr(alone, name), err_msg=name)


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_somebody_who_walks_on_behind_something_comes_out_with_the_same_id(fps):
    x = [100 + 60 * frame / fps for frame in range(6 * fps)]
    hidden = range(2 * fps, round(3.5 * fps))
    ids = walked([None if frame in hidden else place for frame, place in enumerate(x)], 1 / fps)
    assert {each for frame in ids[fps:] for each in frame} == {1}


def test_who_comes_back_too_late_or_elsewhere_is_somebody_else():
    late = walked([100] * 10 + [None] * 30 + [100] * 10)
    assert late[9] == [1] and late[-1] == [2]
    elsewhere = walked([100] * 10 + [None] * 5 + [400] * 10)
    assert elsewhere[9] == [1] and elsewhere[-1] == [2]


def test_a_weak_sighting_goes_on_with_a_track_and_begins_none():
    tracker = PersonTracker(TrackingConfig(sure_score=0.3))
    assert walked([100] * 5, tracker=tracker)[-1] == [1]
    assert walked([102] * 20, tracker=tracker, scores=[0.1])[-1] == [1]
    for _ in range(20):
        assert track(tracker, [(102, 200), (400, 200)], scores=[0.1, 0.1]) == [1, -1]
    assert walked([100] * 5, tracker=PersonTracker(), scores=[0.0])[-1] == [1]  # an estimator that gives no scores


def test_the_sure_one_of_two_is_the_one_of_the_track():
    tracker = PersonTracker()
    walked([100] * 5, tracker=tracker)
    assert track(tracker, [(100, 200), (104, 200)], scores=[0.1, 0.5]) == [-1, 1]


def test_a_person_seen_twice_is_one_person():
    tracker = PersonTracker()
    assert {tuple(track(tracker, [(100, 200), (103, 201)])) for _ in range(15)} <= {(-1, -1), (1, -1), (-1, 1)}


def test_few_joints_in_common_leave_the_boxes_to_compare():
    tracker, upper, lower = PersonTracker(), np.arange(13) < 6, np.arange(13) >= 6
    boxes, keypoints = np.array([[80, 150, 120, 250]], np.float32), (JOINTS + (100, 200))[None].astype(np.float32)
    for frame in range(10):
        ids, _ = tracker(keypoints, (upper if frame % 2 else lower)[None], boxes, np.ones(1), 0.1)
    assert ids.tolist() == [1]


def test_a_robot_tracks_without_a_library_for_it():
    code = (
        "import sys, numpy as np; from pose_attention_ros.core.people.tracking import PersonTracker;"
        "t = PersonTracker(); b = np.array([[0, 0, 9, 9], [1, 1, 9, 9.]], 'f4');"
        "[t(np.zeros((2, 13, 2), 'f4'), np.ones((2, 13), bool), b, np.ones(2), .1) for _ in range(5)];"
        "import pose_attention_ros.inference.paf_decoding;"
        "print([name for name in ('norfair', 'scipy', 'filterpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr
