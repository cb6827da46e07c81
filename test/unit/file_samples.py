"""Small valid files of every kind that the package reads from strangers; what a fuzz test damages."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import bag_helpers
import cv2
import numpy as np
import pytest
from motion_helpers import seen
from pixel_helpers import write_backbone

from pose_attention_ros.bags.label_sources import read_labels
from pose_attention_ros.bags.opening import Bag
from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import MessageError
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.jhmdb import import_jhmdb
from pose_attention_ros.data.motion3d.bvh import BvhConfig, read_bvh_folder
from pose_attention_ros.data.motion3d.utd import read_skeleton
from pose_attention_ros.data.originals import ntu, nucla
from pose_attention_ros.data.penn import import_penn
from pose_attention_ros.data.pixel_clips import open_pixels
from pose_attention_ros.data.pose_images import read_photos
from pose_attention_ros.data.pyskl import import_pyskl
from pose_attention_ros.evaluation.label_map import read_label_map
from pose_attention_ros.evaluation.report.thresholds import read_thresholds
from pose_attention_ros.inference.extractors import ExtractorConfig, create_extractor
from pose_attention_ros.inference.package_paths import config_dir, models_dir
from pose_attention_ros.inference.pose_model import available_pose_networks, read_pose_spec
from pose_attention_ros.inference.recogniser import available_models, load_recogniser, read_spec

savemat = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy").savemat
RNG = np.random.default_rng(0)
OPENED = ("everyday", "rpan")  # the networks of others take seconds to open


class Sample(NamedTuple):
    """name of the file; write(path) makes a valid one, and all beside it; read(path) reads it to its end."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


def dataset(path: Path) -> None:
    joints = LAYOUTS["penn13"].joints
    clips = [
        Clip(RNG.uniform(0, 100, (n, 13, 2)).astype("f4"), np.ones((n, 13), "f4"), "wave", 25.0, "train", "a", (64, 48))
        for n in (2, 3)
    ]
    SkeletonDataset.from_clips(clips, joints).save(path)


def penn(path: Path) -> None:
    np.savez(
        path,
        xy=RNG.uniform(2, 90, (5, 13, 2)),
        vis=np.ones((5, 13)),
        offsets=[0, 2, 5],
        action=["wave", "walk"],
        train=[1, -1],
        clip_id=["0001", "0002"],
        height_width=[[48, 64], [48, 64]],
    )


def jhmdb(path: Path) -> None:
    np.savez(
        path,
        poses=RNG.normal(size=(2, 4, 15, 2)),
        lengths=[4, 3],
        labels=[0, 1],
        class_names=["wave", "walk"],
        split_flags=[[1, 2, 0], [2, 1, 1]],
    )


def kinect(path: Path) -> None:
    np.savez(
        path,
        xyz=RNG.normal(size=(6, 20, 3)),
        offsets=[0, 3, 6],
        subject=[1, 2],
        action=["wave", "walk"],
        name=["a", "b"],
        environment=[0, 0],
        label=[0, 1],
        class_names=["wave", "walk"],
    )


def motion(path: Path) -> None:
    np.savez(
        path,
        xyz=RNG.normal(size=(6, 13, 3)),
        offsets=[0, 3, 6],
        subject=[1, 2],
        action=["wave", "walk"],
        fps=[30, 24],
        joints=LAYOUTS["common13"].joints,
        style=["old", "sad"],
        form=[1, 2],
        dataset=[1, 1],
    )


BVH = """HIERARCHY
ROOT Hips
{ OFFSET 0 90 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Head { OFFSET 0 60 0 CHANNELS 3 Zrotation Xrotation Yrotation End Site { OFFSET 0 9 0 } }
%s}
MOTION
Frames: 2
Frame Time: 0.0333
%s
"""


def bvh(path: Path) -> None:
    limbs = "".join(
        f"  JOINT {side}{a} {{ OFFSET {x} {y} 0 CHANNELS 0 JOINT {side}{b} {{ OFFSET 0 -30 0 CHANNELS 0 "
        f"JOINT {side}{c} {{ OFFSET 0 -30 0 CHANNELS 0 }} }} }}\n"
        for side, x in (("Left", 15), ("Right", -15))
        for a, b, c, y in (("Arm", "ForeArm", "Hand", 50), ("UpLeg", "Leg", "Foot", 0))
    )
    path.write_text(BVH % (limbs, "\n".join(["0 90 0 1 2 3 4 5 6"] * 2)))


def utd(path: Path) -> None:
    savemat(path, {"d_skel": RNG.normal(size=(20, 3, 4))})


def pyskl(path: Path) -> None:
    annotation = {
        "frame_dir": "v_a_g01_c01",
        "label": 0,
        "total_frames": 3,
        "img_shape": (48, 64),
        "keypoint": np.arange(102).reshape(1, 3, 17, 2).astype(np.float16),
        "keypoint_score": np.ones((1, 3, 17), np.float16),
    }
    path.write_bytes(pickle.dumps({"split": {"train1": ["v_a_g01_c01"], "test1": []}, "annotations": [annotation]}))


def photos(path: Path) -> None:
    names = list(LAYOUTS["coco17"].joints)
    cv2.imwrite(str(path.parent / "a.png"), np.zeros((48, 64, 3), np.uint8))
    path.write_text(
        json.dumps(
            {
                "categories": [{"keypoints": names}],
                "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
                "annotations": [
                    {
                        "image_id": 1,
                        "id": 1,
                        "keypoints": [3.0, 4.0, 2] * 17,
                        "bbox": [1, 2, 30, 40],
                        "iscrowd": 0,
                        "num_keypoints": 17,
                        "area": 100.0,
                    }
                ],
            }
        )
    )


def pixels(path: Path) -> None:
    dataset(path.parent / "skeletons.npz")
    np.save(path, np.zeros((5, 8, 8, 3), np.uint8))


def model(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copytree(models_dir() / name, path.parent, dirs_exist_ok=True)


def read_recogniser(path: Path) -> None:
    load_recogniser(str(path.parent))


def read_description(path: Path) -> None:
    read_spec(path.parent)


def read_pose_network(path: Path) -> None:
    read_pose_spec(str(path.parent)).network("fp32")


def read_recipe(path: Path) -> None:
    pytest.importorskip("torch", reason="a recipe's settings are those of torch networks")
    from pose_attention_ros.training.recipe import load_recipe

    load_recipe(path)


def bag(storage: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        folder = path.parent / "made"
        bag_helpers.write_skeleton_bag(folder, bag_helpers.scene(4), storage)
        next(folder.glob(f"*{path.suffix}")).rename(path)

    return write


def read_bag(path: Path) -> None:
    with Bag(path) as opened:
        for topic, _, raw in opened.messages(list(opened.topics)):
            opened.stamp_of(raw)
            try:
                opened.read(topic, raw)
            except MessageError:
                pass


def video(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (32, 24))
    for level in range(4):
        writer.write(np.full((24, 32, 3), 50 * level, np.uint8))
    writer.release()


def play(path: Path) -> None:
    camera = open_source(str(path), CameraConfig())
    try:
        while camera.read() is not None:
            pass
    finally:
        camera.close()


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def recipe_of(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copyfile(config_dir() / "train" / name, path)


SAMPLES = {
    "data set": Sample("data.npz", dataset, SkeletonDataset.load),
    "penn": Sample("penn.npz", penn, import_penn),
    "jhmdb": Sample("jhmdb.npz", jhmdb, import_jhmdb),
    "kinect": Sample("kinect.npz", kinect, seen),
    "motion": Sample("motion_3d.npz", motion, seen),
    "bvh": Sample("wave_1.bvh", bvh, lambda path: read_bvh_folder(path, BvhConfig())),
    "utd": Sample("a1_s1_t1_skeleton.mat", utd, read_skeleton),
    "pyskl": Sample("hmdb.pkl", pyskl, lambda path: import_pyskl(path, "1")),
    "photos": Sample("people.json", photos, lambda path: read_photos([path], path.parent, LAYOUTS["openpose18"])),
    "pixels": Sample("images.npy", pixels, lambda path: open_pixels(path.parent).images(0)),
    "ntu": Sample(
        "S001C002P003R001A023.skeleton",
        text(
            "\n".join(
                ["1", "1", "72057594037931101 0 1 1 1 1 0 0.1 0.2 2", "25"]
                + ["0.1 0.2 3.0 250 200 960 540 0.1 0.2 0.3 0.4 2"] * 25
            )
        ),
        ntu.read_clip,
    ),
    "nucla": Sample("frame_1_tc_10_skeletons.txt", text("\n".join(["1,0,0,0"] + ["0.1,0.2,2.0,2"] * 20)), nucla.read_body),
    "features": Sample("backbone.onnx", write_backbone, lambda path: create_extractor(ExtractorConfig(str(path)))),
    **{
        f"model {name}": Sample("model.json", model(name), read_recogniser if name in OPENED else read_description)
        for name in available_models()
    },
    **{f"pose model {name}": Sample("model.json", model(name), read_pose_network) for name in available_pose_networks()},
    "step.onnx": Sample("step.onnx", model("everyday"), read_recogniser),
    "recipe": Sample("penn.yaml", recipe_of("penn.yaml"), read_recipe),
    "labels": Sample(
        "labels.csv",
        text("start_s,end_s,label,person,x_px,y_px\n0,1.5,wave,,,\n2,3,walk,1,30,40\n"),
        lambda path: read_labels(path, LeftOut()),
    ),
    "label map": Sample("map.yaml", text("wave: wave\nwalk: null\n"), read_label_map),
    "thresholds": Sample("limits.yaml", text("metrics: {frame_accuracy: {min: 0.8}}\n"), read_thresholds),
    "mcap": Sample("bag.mcap", bag("mcap"), read_bag),
    "sqlite": Sample("bag.db3", bag("sqlite3"), read_bag),
    "video": Sample("video.avi", video, play),
}
