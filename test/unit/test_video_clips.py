"""`data import video`: labelled videos through the robot's own stages become clips, as labelled bags do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from bag_helpers import scene, write_skeleton_bag

from pose_attention_ros.bags.writing import BagWriter, image_message
from pose_attention_ros.cameras import open_source
from pose_attention_ros.cli.main import main
from pose_attention_ros.data.dataset import SkeletonDataset

FRAMES = 26
OPTIONS = ("--shortest-s", "0.15")


@pytest.fixture(scope="module")
def videos(tmp_path_factory, shared, movenet_weights):
    """Two pieces of a real video, of the same man, by names of two people, with labels beside them."""
    folder = tmp_path_factory.mktemp("videos")
    camera = open_source(str(shared / "real" / "home" / "s2_fall_13.mp4"))
    half = camera.size[0] // 2, camera.size[1] // 2
    for name in ("s1_day", "s2_day"):
        writer = cv2.VideoWriter(str(folder / f"{name}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, half)
        for _ in range(FRAMES):
            writer.write(cv2.resize(camera.read().image_bgr, half, interpolation=cv2.INTER_AREA))
        writer.release()
        (folder / f"{name}.csv").write_text("start_s,end_s,label\n0.25,0.52,stand\n0.55,0.8,unknown\n")
    camera.close()
    return folder


@pytest.mark.slow
def test_videos_become_clips_with_their_people_in_one_part(videos, tmp_path):
    out = tmp_path / "out.npz"
    assert main(["data", "import", "video", str(videos), str(out), "--group-by", "^s[0-9]+", *OPTIONS]) == 0
    data = SkeletonDataset.load(out)
    clips = sorted(zip(data.group.tolist(), data.labels.tolist(), data.split.tolist()))
    assert clips == [("s1", "stand", "train"), ("s1", "unknown", "train"), ("s2", "stand", "val"), ("s2", "unknown", "val")]
    np.testing.assert_allclose(data.fps, 30, rtol=0.01)
    assert data.image_size.tolist() == [list(data[0].image_size)] * 4 and data[0].image_size[0] > 100
    assert (data.scores > 0.3).mean() > 0.7  # joints as the estimator saw them


@pytest.mark.slow
def test_a_bag_of_the_same_images_gives_the_same_clips(videos, tmp_path):
    camera = open_source(str(videos / "s1_day.avi"), start_stamp_ns=10**9)
    with BagWriter(tmp_path / "bag") as bag:
        while (frame := camera.read()) is not None:
            bag.write("/image", frame.stamp_ns, image_message(frame))
    outs = []
    for kind, source in (("bag", tmp_path / "bag"), ("video", videos / "s1_day.avi")):
        outs.append(tmp_path / f"{kind}.npz")
        assert (
            main(["data", "import", kind, str(source), str(outs[-1]), "--labels", str(videos / "s1_day.csv"), *OPTIONS]) == 0
        )
    of_bag, of_video = map(SkeletonDataset.load, outs)
    np.testing.assert_array_equal(of_bag.keypoints, of_video.keypoints)
    assert of_bag.labels.tolist() == of_video.labels.tolist() and set(of_video.group.tolist()) == {"s1_day"}


def test_each_stretch_of_a_bag_is_a_group_and_the_last_of_a_label_go_to_validation(tmp_path):
    for name in ("monday", "tuesday"):
        write_skeleton_bag(tmp_path / "bags" / name, scene(90, waves=(2, 4)))
        (tmp_path / "bags" / f"{name}.csv").write_text("start_s,end_s,label\n0.5,2,stand\n2,4,wave\n")
    assert main(["data", "import", "bag", str(tmp_path / "bags"), str(tmp_path / "out.npz")]) == 0
    data = SkeletonDataset.load(tmp_path / "out.npz")
    assert list(zip(data.group.tolist(), data.labels.tolist(), data.split.tolist())) == [
        ("monday/row 1", "stand", "train"),
        ("monday/row 2", "wave", "train"),
        ("tuesday/row 1", "stand", "val"),
        ("tuesday/row 2", "wave", "val"),
    ]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--group-by", "("], "no regular expression"),
        (["--labels", "a.csv"], "is for one video"),
        ([], "no labels for b.avi"),
    ],
)
def test_what_cannot_be_imported_is_told(tmp_path, capsys, arguments, words):
    (tmp_path / "videos").mkdir()
    for name in ("a.avi", "b.avi"):
        (tmp_path / "videos" / name).write_bytes(b"none")
    (tmp_path / "videos" / "a.csv").write_text("start_s,end_s,label\n0,1,walk\n")
    if arguments == ["--group-by", "("]:
        (tmp_path / "videos" / "b.avi").unlink()
    assert main(["data", "import", "video", str(tmp_path / "videos"), str(tmp_path / "out.npz"), *arguments]) == 1
    assert words in capsys.readouterr().err
