"""MoveNet on real videos and photos: the people that are there are found, where they are."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.types import Frame
from pose_attention_ros.inference.detections import coco_sigmas, oks
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator


def frames_of(path, every: int = 1, most: int = 10**9) -> list[Frame]:
    camera = open_source(str(path))
    frames = [frame for index, frame in zip(range(most), iter(camera.read, None)) if index % every == 0]
    camera.close()
    return frames


@pytest.mark.parametrize("input_size,least_mean_oks", [(256, 0.67), (320, 0.76), (448, 0.80)])
def test_joints_agree_with_human_annotations(shared, movenet_weights, input_size, least_mean_oks):
    """Twelve people on four COCO photos; mean over people of the OKS of the best match, 0 where they were not found."""
    truth = json.loads((shared / "images" / "test_coco.json").read_text())
    estimator = create_pose_estimator(PoseConfig(input_size=input_size))
    sigmas = coco_sigmas(estimator.layout.joints)
    best = []
    for image in truth["images"]:
        found = estimator(Frame(cv2.imread(str(shared / "images" / image["file_name"])), 0))
        for person in truth["annotations"]:
            if person["image_id"] == image["id"] and person["num_keypoints"] >= 5:
                joints = np.array(person["keypoints"], float).reshape(17, 3)
                similar = oks(found.keypoints_px, joints[:, :2], joints[:, 2] > 0, person["area"], sigmas)
                best.append(similar.max(initial=0))
    assert len(best) == 12
    assert np.mean(best) >= least_mean_oks


def test_three_gymnasts_are_three_in_every_frame(shared, movenet_weights):
    estimator = create_pose_estimator(PoseConfig(input_size=256))
    counts = [len(estimator(frame)) for frame in frames_of(shared / "videos" / "felixchenfy_exercise.avi", most=100)]
    assert counts == [3] * 100


def test_two_people_indoors_in_full_hd(shared, movenet_weights):
    estimator = create_pose_estimator(PoseConfig())
    counts = [len(estimator(frame)) for frame in frames_of(shared / "videos" / "mmaction2_demo_skeleton.mp4", every=9)]
    assert counts == [2] * 8


def test_a_larger_input_finds_more_distant_pedestrians(shared, movenet_weights):
    frames = frames_of(shared / "videos" / "opencv_vtest.avi", every=80)
    means = [
        np.mean([len(create(frame)) for frame in frames])
        for create in (create_pose_estimator(PoseConfig(input_size=size)) for size in (256, 384))
    ]
    assert means[0] >= 2.5 and means[1] >= 4.0 and means[1] > means[0]


def test_the_same_image_gives_the_same_numbers(shared, movenet_weights):
    frame = Frame(cv2.imread(str(next((shared / "images").glob("*.jpg")))), 0)
    first, second = (create_pose_estimator(PoseConfig(threads=threads))(frame) for threads in (1, 2))
    np.testing.assert_allclose(first.keypoints_px, second.keypoints_px, atol=1e-2)
