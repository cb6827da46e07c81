"""Photos with labels, views of them, and the maps that the network should learn from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pose_maps import crowd, maps_of
from pose_photos import COCO, annotation, standing, write_labels, write_photos

from pose_attention_ros.core.body.layouts import LAYOUTS, layout_map
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.pose_augment import PhotoAugmentConfig, plain_view, random_view
from pose_attention_ros.data.pose_images import read_names, read_photos
from pose_attention_ros.data.pose_targets import STRIDE, TargetConfig, make_targets
from pose_attention_ros.inference.paf_decoding import decode

OPENPOSE = LAYOUTS["openpose18"]


def image_entry(number: int, name: str) -> dict:
    return {"id": number, "file_name": name, "width": 96, "height": 64}


def test_coco_files_give_people_in_any_layout(tmp_path):
    write_photos(tmp_path, 2, people=2)
    photos = read_photos([tmp_path / "annotations.json"], tmp_path / "images", OPENPOSE)
    assert [photo.people for photo in photos] == [2, 2] and photos[0].size == (96, 64)
    neck, *shoulders = (
        photos[0].keypoints_px[:, OPENPOSE.index(joint)] for joint in ("neck", "left_shoulder", "right_shoulder")
    )
    np.testing.assert_allclose(neck, np.mean(shoulders, axis=0), atol=1e-4)
    plain = read_photos([tmp_path / "annotations.json"], tmp_path / "images", COCO)
    assert plain[0].labelled.all() and plain[0].areas_px2[0] > 100


def test_people_without_labels_are_regions_to_ignore(tmp_path):
    write_photos(tmp_path, 1)
    person, nobody = standing(10, 5, 20, 50), np.zeros((17, 3), np.float32)
    entries = [
        annotation(1, 1, person),
        annotation(2, 1, person, ignore=1),
        annotation(3, 1, nobody),
        {**annotation(4, 1, person), "iscrowd": 1},
    ]
    path = write_labels(tmp_path / "labels.json", [image_entry(1, "photo001.png")], entries)
    photo = read_photos([path], tmp_path / "images", COCO)[0]
    assert photo.people == 1 and len(photo.ignore_xyxy) == 3


def test_the_first_file_counts_and_others_add_what_it_lacks(tmp_path):
    write_photos(tmp_path, 1)
    better, worse, other = standing(10, 5, 20, 50), standing(12, 6, 20, 50), standing(60, 5, 20, 50)
    better[:5] = 0  # no face
    first = write_labels(tmp_path / "a.json", [image_entry(7, "photo001.png")], [annotation(1, 7, better)])
    second = write_labels(
        tmp_path / "b.json", [image_entry(1, "photo001.png")], [annotation(1, 1, worse), annotation(2, 1, other)]
    )
    photo = read_photos([first, second], tmp_path / "images", COCO)[0]
    assert photo.people == 2 and photo.labelled.all()
    np.testing.assert_allclose(photo.keypoints_px[0, 5:], better[5:, :2])
    np.testing.assert_allclose(photo.keypoints_px[0, :5], worse[:5, :2])
    np.testing.assert_allclose(photo.keypoints_px[1], other[:, :2])


def test_lists_choose_photos_and_crowds_can_be_left_out(tmp_path):
    path = write_photos(tmp_path, 4, people=2)
    (tmp_path / "list.txt").write_text("photo001.png\nphoto003.png\n")
    names = read_names(tmp_path / "list.txt")
    read = lambda **options: [p.path.name for p in read_photos([path], tmp_path / "images", COCO, **options)]  # noqa: E731
    assert read(only=names) == ["photo001.png", "photo003.png"]
    assert read(only=names, without=["photo001.png"]) == ["photo003.png"]
    with pytest.raises(UserError, match="no labelled image is left"):
        read(max_people=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "not in COCO's keypoint format"), ("[", "not in COCO's keypoint"), (None, "cannot be read")],
)
def test_files_that_are_something_else_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "labels.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_photos([tmp_path / "labels.json"], tmp_path, COCO)


@given(seed=st.integers(0, 2**16), mirror=st.booleans())
@settings(max_examples=25)
def test_joints_move_with_the_picture(photo, seed, mirror):
    """Joints are painted as dots of their own grey; each is found again where the view says it is."""
    config = PhotoAugmentConfig(colour=0.0, grey=0.0, cover=0.0, mirror=float(mirror))
    view = random_view(photo, COCO, 192, np.random.default_rng(seed), config)
    for joint in range(17):
        x, y = view.keypoints_px[0, joint]
        if view.labelled[0, joint] and 3 < x < 189 and 3 < y < 189:
            source = COCO.mirror[joint] if mirror else joint
            around = view.image_rgb[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2, 0]
            assert abs(int(np.median(around)) - (60 + 11 * int(source))) <= 3, COCO.joints[joint]


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """One person, spread wide, each joint a square of a grey of its own."""
    import cv2

    folder = tmp_path_factory.mktemp("dots")
    write_photos(folder, 1)
    image, person = np.zeros((240, 320, 3), np.uint8), np.full((17, 3), 2, np.float32)
    for joint in range(17):
        person[joint, :2] = x, y = 40 + 55 * (joint % 5), 40 + 48 * (joint // 5)
        image[y - 8 : y + 8, x - 8 : x + 8] = 60 + 11 * joint
    cv2.imwrite(str(folder / "images/photo001.png"), image)
    entry = {**image_entry(1, "photo001.png"), "width": 320, "height": 240}
    path = write_labels(folder / "labels.json", [entry], [annotation(1, 1, person)])
    return read_photos([path], folder / "images", COCO)[0]


def test_mirroring_a_view_twice_is_the_view(photo):
    config = PhotoAugmentConfig(
        colour=0.0, grey=0.0, cover=0.0, mirror=1.0, turn_deg=0.0, shift=0.0, scale_low=0.8, scale_high=0.8
    )
    mirrored = random_view(photo, COCO, 192, np.random.default_rng(0), config)
    plain = random_view(photo, COCO, 192, np.random.default_rng(0), dataclasses.replace(config, mirror=0.0))
    flipped = mirrored.keypoints_px[:, COCO.mirror] * (-1, 1) + (192, 0)
    np.testing.assert_allclose(flipped, plain.keypoints_px, atol=1e-3)
    np.testing.assert_allclose(mirrored.image_rgb[:, ::-1].astype(int), plain.image_rgb.astype(int), atol=12)


@pytest.mark.parametrize("seed", range(6))
def test_a_view_around_a_person_shows_them_as_large_as_asked(photo, seed):
    config = PhotoAugmentConfig(person_low=0.4, person_high=0.6, turn_deg=0.0, shift=0.05, mirror=0.0)
    view = random_view(photo, COCO, 192, np.random.default_rng(seed), config)
    box = view.boxes_xyxy[0]
    extent = max(box[2:] - box[:2])
    assert 0.4 * 192 - 1 <= extent <= 0.6 * 192 + 1
    assert np.abs((box[:2] + box[2:]) / 2 - 96).max() <= 0.05 * 192 + 1


def test_some_views_are_turned_all_the_way(photo):
    """From the first joint to the sixth, which is below it in the photo."""
    config = PhotoAugmentConfig(turn_deg=5.0, any_turn=0.5, mirror=0.0)
    views = [random_view(photo, COCO, 192, np.random.default_rng(seed), config) for seed in range(40)]
    down = [np.subtract(*view.keypoints_px[0, [5, 0]]) for view in views]
    angles = np.degrees([np.arctan2(x, y) for x, y in down])
    assert 10 <= (np.abs(angles) > 6).sum() <= 30
    assert (np.abs(angles) > 120).any()


def targets_of(joints: np.ndarray, size: tuple[int, int], labelled: np.ndarray | None = None, **settings):
    """Targets of people (N, V, 2) in cells on maps of (width, height)."""
    labelled = np.ones(joints.shape[:2], bool) if labelled is None else labelled
    boxes = np.concatenate((joints.min(1), joints.max(1)), 1) * STRIDE
    valid = np.ones(size[::-1], np.float32)
    return make_targets(joints * STRIDE, labelled, boxes, valid, OPENPOSE, TargetConfig(**settings))


@pytest.mark.parametrize("count", [0, 1, 4])
def test_targets_are_those_of_an_independent_drawing(count):
    joints, size = crowd(count) if count else (np.zeros((0, 18, 2)), (12, 10))
    confidence, affinity = maps_of(joints, size)
    targets = targets_of(joints, size)
    np.testing.assert_allclose(targets.confidence, confidence, atol=1e-5)
    near_end = np.abs(targets.affinity - affinity) > 1e-4  # theirs reach half a cell further beyond the joints
    assert near_end.mean() < 0.03
    assert (targets.confidence_weight == 1).all() and (targets.affinity_weight == 1).all()


@pytest.mark.parametrize("count", [1, 5])
def test_decoding_targets_gives_the_people_back(count):
    joints, size = crowd(count)
    targets = targets_of(joints, size)
    people = decode(targets.confidence, targets.affinity, OPENPOSE)
    assert len(people) == count
    found = people.keypoints * size
    for person in joints:
        assert np.abs(found - person).max((1, 2)).min() < 0.1


@given(seed=st.integers(0, 2**16))
@settings(max_examples=20)
def test_targets_of_a_mirrored_image_are_mirrored_targets(seed):
    """Joints swap sides, fields change the sign of x, limbs of one side become those of the other."""
    rng = np.random.default_rng(seed)
    width, height = 20, 16
    joints = rng.uniform(0.5, 15.5, (2, 18, 2))
    labelled = rng.random((2, 18)) < 0.8
    one = targets_of(joints, (width, height), labelled)
    mirrored = joints[:, OPENPOSE.mirror] * (-1, 1) + (width, 0)
    other = targets_of(mirrored, (width, height), labelled[:, OPENPOSE.mirror])
    np.testing.assert_allclose(other.confidence[:18], one.confidence[OPENPOSE.mirror][..., ::-1], atol=1e-5)
    pairs = [tuple(pair) for pair in OPENPOSE.limb_indices]
    for limb, (a, b) in enumerate(pairs):
        twin = pairs.index((OPENPOSE.mirror[a], OPENPOSE.mirror[b]))
        np.testing.assert_allclose(other.affinity[2 * limb], -one.affinity[2 * twin, :, ::-1], atol=1e-4)
        np.testing.assert_allclose(other.affinity[2 * limb + 1], one.affinity[2 * twin + 1, :, ::-1], atol=1e-4)


def test_a_joint_that_is_not_labelled_counts_less_in_its_persons_box():
    joints, size = crowd(1)
    labelled = np.ones((1, 18), bool)
    wrist = OPENPOSE.index("left_wrist")
    labelled[0, wrist] = False
    targets = targets_of(joints, size, labelled, missing_weight=0.25)
    assert targets.confidence[wrist].max() == 0
    x, y = (joints[0].min(0) + joints[0].max(0)).astype(int) // 2
    assert targets.confidence_weight[wrist, y, x] == 0.25
    assert (np.delete(targets.confidence_weight, wrist, 0) == 1).all()
    limbs = [i for i, pair in enumerate(OPENPOSE.limb_indices) if wrist in pair]
    lowered = [i for i in range(19) if (targets.affinity_weight[2 * i : 2 * i + 2] < 1).any()]
    assert lowered == limbs


def test_ignored_regions_are_masked_in_every_map(tmp_path):
    write_photos(tmp_path, 1, size=(96, 96))
    entries = [annotation(1, 1, standing(4, 5, 20, 80)), {**annotation(2, 1, standing(56, 8, 32, 80)), "ignore": 1}]
    entry = {**image_entry(1, "photo001.png"), "height": 96}
    photo = read_photos([write_labels(tmp_path / "l.json", [entry], entries)], tmp_path / "images", COCO)[0]
    view = plain_view(photo, 96)
    keypoints, scores = layout_map("coco17", "openpose18")(view.keypoints_px, view.labelled.astype(np.float32))
    targets = make_targets(keypoints, scores > 0, view.boxes_xyxy, view.valid(STRIDE), OPENPOSE, TargetConfig())
    assert (targets.confidence_weight[:, 2:9, 9] == 0).all() and (targets.affinity_weight[:, 2:9, 9] == 0).all()
    assert (targets.confidence_weight[:, :, :5] == 1).all()
