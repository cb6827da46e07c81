"""Motion in three dimensions: compact files by their content, originals, and what cameras see of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from motion_helpers import seen

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.data.finishing import LeftOut
from pose_attention_ros.data.motion3d.bvh import BvhConfig, read_bvh_folder
from pose_attention_ros.data.motion3d.compact import read_motions, write_motions
from pose_attention_ros.data.motion3d.utd import ACTIONS, read_utd
from pose_attention_ros.data.motion3d.utd import JOINTS as UTD_JOINTS

savemat = pytest.importorskip("scipy.io", reason="writes .mat files: pip install scipy").savemat
JOINTS = LAYOUTS["common13"].joints
# Metres, a person 1.7 m tall: head, shoulders, elbows, wrists, hips, knees, ankles; x left.
# fmt: off
STANDING = np.array([[0, 1.6, 0], [.15, 1.4, 0], [-.15, 1.4, 0], [.2, 1.1, 0], [-.2, 1.1, 0], [.2, .9, 0], [-.2, .9, 0],
                     [.1, .9, 0], [-.1, .9, 0], [.1, .5, 0], [-.1, .5, 0], [.1, .1, 0], [-.1, .1, 0]])
# fmt: on


def compact(path, joints=JOINTS, body=STANDING, **changes):
    """Two clips, of 5 and 4 frames, of somebody who steps aside."""
    steps = np.linspace(0, 0.4, 9)[:, None, None] * np.array([1, 0, 0])
    arrays = {
        "xyz": (body + steps + [0, 0, 3]).astype("f4"),
        "offsets": np.array([0, 5, 9]),
        "joints": np.array(joints),
        "fps": np.array([60, 24.0]),
        "action": np.array(["walk", "idle"]),
        "subject": np.array([3, 12]),
        **changes,
    }
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_compact_file_says_itself_what_it_holds(tmp_path):
    data = seen(compact(tmp_path / "ui_prmd_3d.npz", form=np.array([1, 2])), 2)
    assert data.joints == JOINTS and data.fps.tolist() == [60, 60, 24, 24]
    assert data.labels.tolist() == ["walk", "walk", "idle", "idle"]
    assert data.group.tolist() == ["ui_prmd/s03"] * 2 + ["ui_prmd/s12"] * 2
    motions = read_motions(tmp_path / "ui_prmd_3d.npz")
    assert [(m.name, m.label, m.fps, m.extra) for m in motions] == [
        ("ui_prmd/00000", "walk", 60, {"form": "1"}),
        ("ui_prmd/00001", "idle", 24, {"form": "2"}),
    ]
    steps = np.linspace(0, 0.4, 9)[5:, None, None] * [1, 0, 0]
    np.testing.assert_allclose(motions[1].xyz, STANDING + steps + [0, 0, 3], atol=1e-6)


@pytest.mark.parametrize("subject", [np.array([1, 2]), None])
def test_extra_arrays_do_not_make_it_another_set(tmp_path, subject):
    """`view` and `confidence` were taken for the marks of two sets; without subjects a set is divided by its styles."""
    path = compact(
        tmp_path / "mine.npz",
        subject=subject,
        view=np.array([1, 2]),
        confidence=np.ones((9, 13)),
        dataset=np.array([1, 2]),
        style=np.array(["old", "sad"]),
    )
    groups = [motion.group for motion in read_motions(path)]
    assert groups == (["mine/d1/old", "mine/d2/sad"] if subject is None else ["mine/s01", "mine/s02"])
    assert read_motions(path)[1].extra == {"dataset": "2", "style": "sad"}


def test_proportions_are_measured_and_brought_to_annotators(tmp_path):
    """Hips as high and as close as Kinect's, a head at the skull's base, narrow shoulders."""
    odd = STANDING.copy()
    odd[JOINTS.index("head"), 1] = 1.5
    for side, sign in (("left", 1), ("right", -1)):
        odd[JOINTS.index(f"{side}_hip")] = (sign * 0.07, 1.0, 0)
        odd[JOINTS.index(f"{side}_shoulder"), 0] = sign * 0.1
    motion = read_motions(compact(tmp_path / "a.npz", body=odd))[0]
    at = dict(zip(JOINTS, motion.annotated()[0]))
    middle = lambda joint: (at[f"left_{joint}"] + at[f"right_{joint}"]) / 2  # noqa: E731
    apart = lambda joint: np.linalg.norm(at[f"left_{joint}"] - at[f"right_{joint}"])  # noqa: E731
    trunk = np.linalg.norm(middle("shoulder") - middle("hip"))
    assert (middle("hip") - middle("knee"))[1] / trunk == pytest.approx(0.8, abs=0.03)
    assert [apart("hip") / trunk, apart("shoulder") / trunk, (at["head"] - middle("shoulder"))[1] / trunk] == pytest.approx(
        [0.4, 0.65, 0.4], abs=0.01
    )
    for joint in ("left_wrist", "right_knee"):  # the rest stays
        np.testing.assert_array_equal(at[joint], motion.xyz[0, JOINTS.index(joint)])


def test_untracked_frames_and_clips_are_left_out(tmp_path):
    xyz = np.tile(STANDING + [0, 0, 3], (9, 1, 1)).astype("f4")
    xyz[1] = 0
    xyz[6:] = 0
    left_out = LeftOut()
    motions = read_motions(compact(tmp_path / "a.npz", xyz=xyz), left_out)
    assert left_out.counts() == {"nobody tracked for two frames": 1}
    assert [(m.number, len(m.xyz)) for m in motions] == [(0, 4)]


def test_compact_files_are_written_as_they_are_read(tmp_path):
    motions = read_motions(compact(tmp_path / "a.npz", style=np.array(["old", "sad"]), fps=np.array(30.0)))
    write_motions(tmp_path / "b" / "a.npz", motions)
    again = read_motions(tmp_path / "b" / "a.npz")
    for one, two in zip(motions, again, strict=True):
        np.testing.assert_array_equal(one.xyz, two.xyz)
        assert (one.group, one.label, one.fps, one.extra, one.joints, one.proportions) == (
            two.group,
            two.label,
            two.fps,
            two.extra,
            two.joints,
            two.proportions,
        )


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"action": None}, "action or label"),
        ({"fps": None}, "no fps"),
        ({"joints": np.array(["head"] * 13)}, "missing"),
        ({"joints": np.array([*JOINTS[:-1], "tail"])}, "tail"),
        ({"fps": np.array([30, 0])}, "above 0"),
        ({"offsets": np.array([0, 5, 8])}, "rise from 0 to 9"),
        ({"offsets": np.array([0, 9])}, "do not fit"),
        ({"xyz": np.full((9, 13, 3), np.nan)}, "NaN"),
        ({"xyz": np.zeros((9, 20, 3))}, "do not fit"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        read_motions(compact(tmp_path / "a.npz", **changes))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, clips, joints, fps, group",
    [("kinder_gator", 1159, 13, 30.3, "kinder_gator/s103"), ("reactidle", 22, 13, 24.0, "reactidle/s00")],
)
def test_real_compact_files(shared, tmp_path, name, clips, joints, fps, group):
    source = shared / "data" / f"{name}_3d.npz"
    assert (
        main(
            [
                "data",
                "import",
                "kinect",
                str(source),
                str(tmp_path / "out.npz"),
                "--views",
                "1",
                "--json",
                str(tmp_path / "out.json"),
            ]
        )
        == 0
    )
    data = SkeletonDataset.load(tmp_path / "out.npz")
    assert (len(data), len(data.joints), data.fps.min()) == (clips, joints, pytest.approx(fps, abs=0.05))
    assert group in data.group and json.loads((tmp_path / "out.json").read_text())["missing_joints"] < 0.01


# A person of bare names: (parent, offset in centimetres); x left, y up, looking along z.
# fmt: off
TREE = {"Hips": (None, (0, 90, 0)), "Spine": ("Hips", (0, 20, 0)), "Head": ("Spine", (0, 40, 0)),
        "LeftArm": ("Spine", (17, 30, 0)), "LeftForeArm": ("LeftArm", (0, -28, 0)), "LeftHand": ("LeftForeArm", (0, -25, 0)),
        "RightArm": ("Spine", (-17, 30, 0)), "RightForeArm": ("RightArm", (0, -28, 0)),
        "RightHand": ("RightForeArm", (0, -25, 0)), "LeftUpLeg": ("Hips", (10, 0, 0)), "LeftLeg": ("LeftUpLeg", (0, -42, 0)),
        "LeftFoot": ("LeftLeg", (0, -42, 0)), "RightUpLeg": ("Hips", (-10, 0, 0)), "RightLeg": ("RightUpLeg", (0, -42, 0)),
        "RightFoot": ("RightLeg", (0, -42, 0))}
# fmt: on


def bvh_text(rename=str, scale=1.0, turns=None, frames=3, z_up=False, period_s=1 / 30, root=(0, 90, 0)):
    """A BVH file of TREE. turns: {joint: degrees about its Z, X, Y channels}, in every frame."""
    turn = lambda xyz: (xyz[0], -xyz[2], xyz[1]) if z_up else xyz  # noqa: E731
    values: list[float] = []

    def block(name, depth):
        parent, offset = TREE[name]
        channels = "CHANNELS 3 Zrotation Xrotation Yrotation"
        if parent is None:
            channels = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
            values.extend(turn([value * scale for value in root]))
        values.extend((turns or {}).get(name, (0, 0, 0)))
        numbers = " ".join(f"{value * scale:.6f}" for value in turn(offset))
        lines = [f"{'JOINT' if parent else 'ROOT'} {rename(name)}", "{", f"OFFSET {numbers}", channels]
        children = [child for child, (above, _) in TREE.items() if above == name]
        for child in children:
            lines += block(child, depth + 1)
        if not children:
            lines += ["End Site", "{", "OFFSET 0 5 0", "}"]
        return [*lines, "}"]

    body = block("Hips", 0)
    row = " ".join(f"{value:.6f}" for value in values)
    return "\n".join(["HIERARCHY", *body, "MOTION", f"Frames: {frames}", f"Frame Time: {period_s:.7f}", *[row] * frames, ""])


def posed(path, text, **options):
    """{joint: (3,) metres} of a single file's first frame."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    motion = read_bvh_folder(path.parent, BvhConfig(**options))[0]
    return dict(zip(motion.joints, motion.xyz[0])), motion


def mixamo(name):
    return f"mixamorig:{name}"


def renamed(pattern, **names):
    """Names by a table for those of TREE without side; pattern takes {Side}, {s}, {S} and the {name}."""

    def rename(name):
        bare = name.removeprefix("Left").removeprefix("Right")
        side = name.removesuffix(bare)
        word = names.get(bare, bare)
        return pattern.format(Side=side, s=side[:1].lower(), S=side[:1], name=word) if side else word

    return rename


unreal = renamed(
    "{name}_{s}",
    Hips="pelvis",
    Spine="spine_01",
    Head="head",
    Arm="upperarm",
    ForeArm="lowerarm",
    Hand="hand",
    UpLeg="thigh",
    Leg="calf",
    Foot="foot",
)
xsens = renamed(
    "{Side}{name}", Spine="Chest", Arm="Shoulder", ForeArm="Elbow", Hand="Wrist", UpLeg="Hip", Leg="Knee", Foot="Ankle"
)
bandai = renamed("{name}_{S}", Arm="UpperArm", ForeArm="LowerArm", UpLeg="UpperLeg", Leg="LowerLeg")
daz = renamed("{s}{name}", Hips="hip", Spine="abdomen", Head="head", Arm="Shldr", UpLeg="Thigh", Leg="Shin")


@pytest.mark.parametrize(
    "rename, scale, z_up",
    [
        (str, 1.0, False),
        (mixamo, 0.01, False),
        (unreal, 0.45 / 2.54, False),
        (str, 10.0, True),
        (xsens, 1.0, False),
        (bandai, 1.0, False),
        (daz, 1.0, False),
    ],
)
def test_bvh_in_any_unit_with_either_axis_up_and_common_names(tmp_path, rename, scale, z_up):
    """A person who holds the left forearm forward: looks towards the camera (-z), the left on its right (+x is the image's
    left)."""
    turns = {"LeftArm": (0, 0, 0), "LeftForeArm": (0, -90, 0)} if not z_up else {"LeftForeArm": (0, -90, 0)}
    at, motion = posed(tmp_path / "in" / "reach_12.bvh", bvh_text(rename, scale, turns, z_up=z_up))
    assert motion.label == "reach" and motion.fps == 30
    for joint, place in {
        "head": (0, 1.5, 0),
        "left_shoulder": (-0.17, 1.4, 0),
        "left_elbow": (-0.17, 1.12, 0),
        "left_wrist": (-0.17, 1.12, -0.25),
        "right_wrist": (0.17, 0.87, 0),
        "right_ankle": (0.1, 0.06, 0),
        "hip_center": (0, 0.9, 0),
    }.items():
        np.testing.assert_allclose(at[joint], place, atol=1e-4, err_msg=joint)


def test_bvh_rotations_go_down_the_chain_in_the_order_of_the_channels(tmp_path):
    """Z, X, Y: the last channel turns first, and what a parent turns turns its children."""
    at, _ = posed(
        tmp_path / "in" / "a_1.bvh",
        bvh_text(turns={"LeftArm": (90, 0, 0), "LeftForeArm": (0, -90, 0), "Hips": (0, 0, 90)}, root=(100, 90, 0)),
    )
    # Arm raised sideways, forearm forward of it, all turned a quarter to the left, one metre to the left.
    away = at["left_elbow"] - at["left_shoulder"]
    forearm = at["left_wrist"] - at["left_elbow"]
    np.testing.assert_allclose(at["hip_center"], (-1, 0.9, 0), atol=1e-4)
    np.testing.assert_allclose(away, (0, 0, 0.28), atol=1e-4)
    np.testing.assert_allclose(forearm, (-0.25, 0, 0), atol=1e-4)


def test_bvh_position_channels_take_the_place_of_offsets(tmp_path):
    text = bvh_text().replace(
        "JOINT Spine\n{\nOFFSET 0.000000 20.000000 0.000000\nCHANNELS 3",
        "JOINT Spine\n{\nOFFSET 0.000000 20.000000 0.000000\nCHANNELS 4 Yposition",
    )
    row = next(line for line in text.splitlines()[::-1] if line)
    numbers = row.split()
    text = text.replace(row, " ".join([*numbers[:6], "25", *numbers[6:]]))
    at, _ = posed(tmp_path / "in" / "a_1.bvh", text)
    assert at["head"][1] == pytest.approx(0.9 + 0.25 + 0.4, abs=1e-4)


def test_bvh_names_labels_and_rates(tmp_path):
    folder = tmp_path / "take"
    folder.mkdir()
    for name in ("dataset-2_walk-back_old_003", "02_01"):
        (folder / f"{name}.bvh").write_text(bvh_text(frames=9, period_s=1 / 120))
    (folder / "._02_01.bvh").write_bytes(b"macOS")
    motions = {motion.label: motion for motion in read_bvh_folder(folder, BvhConfig())}
    assert motions["walk-back"].extra == {"dataset": "2", "style": "old"} and motions["walk-back"].group == "take/d2/old"
    assert motions["walk-back"].fps == 60 and len(motions["walk-back"].xyz) == 5
    own = read_bvh_folder(folder, BvhConfig(names=r"(?P<person>\d+)_(?P<label>\d+)"), left_out=(left_out := LeftOut()))
    assert [(m.label, m.group) for m in own] == [("01", "take/02")] and left_out.counts() == {"its name tells no label": 1}
    (tmp_path / "labels.csv").write_text("name,label,person\n02_01,walk,2\n")
    (tmp_path / "names.yaml").write_text(
        "\n".join(
            f"{joint}: {name}"
            for joint, name in zip(
                JOINTS,
                (
                    "Head",
                    "LeftArm",
                    "RightArm",
                    "LeftForeArm",
                    "RightForeArm",
                    "LeftHand",
                    "RightHand",
                    "LeftUpLeg",
                    "RightUpLeg",
                    "LeftLeg",
                    "RightLeg",
                    "LeftFoot",
                    "RightFoot",
                ),
            )
        )
    )
    out = tmp_path / "out.npz"
    assert (
        main(
            [
                "data",
                "import",
                "bvh",
                str(folder),
                str(out),
                "--views",
                "0",
                "--clip-labels",
                str(tmp_path / "labels.csv"),
                "--joint-names",
                str(tmp_path / "names.yaml"),
                "--json",
                str(tmp_path / "out.json"),
            ]
        )
        == 0
    )
    again = read_motions(out)
    assert [(m.label, m.group, m.joints) for m in again] == [("walk", "out/2", JOINTS)]
    assert json.loads((tmp_path / "out.json").read_text())["left_out"] == {"the table of labels does not name it": 1}
    assert main(["data", "import", "bvh", str(folder), str(tmp_path / "seen.npz"), "--views", "2"]) == 0
    assert len(SkeletonDataset.load(tmp_path / "seen.npz")) == 4


def test_motion_in_the_wrong_unit_is_refused_in_either_form(tmp_path, capsys):
    (tmp_path / "walk_1.bvh").write_text(bvh_text())
    for views in ("0", "2"):
        assert (
            main(["data", "import", "bvh", str(tmp_path), str(tmp_path / "out.npz"), "--views", views, "--unit", "m"]) == 1
        )
        assert "cannot be right" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda text: text.replace("LeftForeArm", "Strange"), "no built-in table fits"),
        (lambda text: text.replace("Frames: 3", "Frames: 4"), "expected 4 frames of 48 channels"),
        (lambda text: text.replace("MOTION", "MOTIF"), "in its hierarchy"),
        (lambda text: text[: text.index("CHANNELS 3")], "does not end"),
        (lambda text: text.replace("Zrotation", "Wrotation"), "a channel 'Wrotation'"),
        (lambda text: "", "HIERARCHY"),
    ],
)
def test_bvh_files_that_are_none(tmp_path, damage, words):
    (tmp_path / "a_1.bvh").write_text(damage(bvh_text()))
    with pytest.raises(UserError, match=words):
        read_bvh_folder(tmp_path, BvhConfig())


def test_utd_mhad_as_published(tmp_path):
    """a23 is walking; the order of the 20 joints is that of the published files."""
    skeleton = np.zeros((20, 3, 7), np.float64)
    for row, joint in enumerate(UTD_JOINTS):
        place = dict(zip(JOINTS, STANDING)).get(joint, (0.0, 1.0, 0.0))
        skeleton[row] = (np.array(place) + [0, 0, 3])[:, None] + np.arange(7) * 0.01
    (tmp_path / "Skeleton").mkdir()
    for name in ("a23_s2_t1", "a1_s10_t4", "a99_s1_t1"):
        savemat(tmp_path / "Skeleton" / f"{name}_skeleton.mat", {"d_skel": skeleton})
    (tmp_path / "Skeleton" / "._a23_s2_t1_skeleton.mat").write_bytes(b"macOS")
    motions = read_utd(tmp_path, left_out := LeftOut())
    assert [(m.name, m.label, m.group, m.fps) for m in motions] == [
        ("utd_mhad/a1_s10_t4", "swipe_left", "utd_mhad/s10", 30),
        ("utd_mhad/a23_s2_t1", "walk", "utd_mhad/s02", 30),
    ]
    assert left_out.counts() == {"of no known action": 1} and motions[0].xyz.shape == (7, 20, 3)
    np.testing.assert_allclose(
        motions[0].xyz[2, UTD_JOINTS.index("left_wrist")], STANDING[5] + [0.02, 0.02, 3.02], atol=1e-6
    )
    assert main(["data", "import", "utd", str(tmp_path), str(tmp_path / "out.npz"), "--views", "3"]) == 0
    assert len(SkeletonDataset.load(tmp_path / "out.npz")) == 6
    savemat(tmp_path / "Skeleton" / "a2_s1_t1_skeleton.mat", {"d_skel": np.zeros((3, 20, 4))})
    with pytest.raises(UserError, match="expected \\(20, 3, frames\\)"):
        read_utd(tmp_path)
    with pytest.raises(UserError, match="no skeleton file of UTD-MHAD"):
        read_utd(tmp_path / "nothing")


def test_labels_of_utd_mhad_are_those_of_the_compact_file(shared):
    with np.load(shared / "data" / "utd_mhad_3d.npz") as file:
        assert set(file["action"].tolist()) == set(ACTIONS) and set(file["joints"].tolist()) == set(UTD_JOINTS)
