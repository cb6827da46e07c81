"""From data set files to batches of streams: 3D motions in a corpus, what of a body tells a class, streams kept on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pose_attention_ros.core.body.layouts import layout  # noqa: E402
from pose_attention_ros.core.errors import UserError  # noqa: E402
from pose_attention_ros.data.dataset import Clip, SkeletonDataset  # noqa: E402
from pose_attention_ros.data.motion3d.compact import write_motions  # noqa: E402
from pose_attention_ros.data.motion3d.record import Motion  # noqa: E402
from pose_attention_ros.data.streams import UNTOLD, Example, StreamConfig, join  # noqa: E402
from pose_attention_ros.models.losses import IGNORE, OTHER, tick_loss  # noqa: E402
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork  # noqa: E402
from pose_attention_ros.training.batches import Carriers, draw_chances  # noqa: E402
from pose_attention_ros.training.corpus import Corpus, load_corpus  # noqa: E402
from pose_attention_ros.training.recipe import Recipe, load_recipe  # noqa: E402
from pose_attention_ros.training.stream_batches import StreamBatchMaker  # noqa: E402

pytestmark = pytest.mark.training

LAYOUT = layout("common13")
V = len(LAYOUT.joints)
RECIPE = """
model_id: tiny
data:
  moves_3d: {most: 4, skip_s: 0.2, cycles: {dip: [down, up]}, val_share: 0.0}
  falls: {val_share: 0.0}
  flat: {val_share: 0.5}
classes: {down: {moves_3d: [down]}, up: {moves_3d: [up]}, walk: {moves_3d: [walk], falls: [walk]}, fall: {falls: [fall]},
          wave: {flat: [wave]}}
other: {falls: [other]}
rest: {other: {moves_3d: {end: [walk]}}}
carriers: {wave: arm}
model: {width: 4, heads: 1, hidden: 8, background: true}
train: {epochs: 4, fresh_epochs: 2, streams_per_epoch: 32, batch: 16}
stream: {longest_s: 2.0}
"""
HEIGHT = {"head": 1.6, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.9, "hip": 0.9, "knee": 0.5, "ankle": 0.1}


def motion(label: str, number: int, frames: int = 30, sequence: str = "", dip: bool = False) -> Motion:
    rng = np.random.default_rng(number)
    pose = np.array(
        [((-1 if name.startswith("left") else 1) * 0.2, HEIGHT[name.rpartition("_")[2]], 0) for name in LAYOUT.joints]
    )
    path = np.repeat(pose[None], frames, 0) + rng.normal(0, 0.02, (frames, V, 3))
    path[..., 0] += np.linspace(0, 1, frames)[:, None]
    if dip:
        path[..., 1] *= 1 - 0.4 * np.sin(np.linspace(0, np.pi, frames))[:, None]
    return Motion(
        f"m/{number}",
        path.astype(np.float32),
        LAYOUT.joints,
        30.0,
        label,
        f"m/s{number % 4:02d}",
        number,
        {"sequence": sequence} if sequence else {},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Recipe, Corpus, Path]:
    folder = tmp_path_factory.mktemp("data")
    write_motions(folder / "moves_3d.npz", [motion("walk", i) for i in range(9)] + [motion("dip", 9, 40, dip=True)])
    write_motions(
        folder / "falls.npz",
        [motion(label, 10 + i, sequence=str(1 + i // 3)) for i, label in enumerate(("walk", "fall", "other") * 2)],
    )
    rng = np.random.default_rng(0)
    flat = [
        Clip(
            rng.uniform(100, 300, (20, V, 2)).astype(np.float32),
            np.ones((20, V), np.float32),
            "wave",
            20.0,
            "train",
            f"p{i}",
        )
        for i in range(6)
    ]
    SkeletonDataset.from_clips(flat, LAYOUT.joints).save(folder / "flat.npz")
    (folder / "recipe.yaml").write_text(RECIPE)
    recipe = load_recipe(folder / "recipe.yaml")
    return recipe, load_corpus(recipe, {name: folder / f"{name}.npz" for name in recipe.data}), folder


def test_motions_become_clips_by_the_rule_of_their_data_set(made):
    _, corpus, _ = made
    moves = [entry for entry in corpus.entries if entry.data == "moves_3d"]
    walks = [entry for entry in moves if entry.label == "walk"]
    assert len(walks) == 4 and all(len(entry.example.keypoints) == 24 for entry in walks)  # the first 0.2 s left out
    down, up = (next(entry for entry in moves if entry.label == label) for label in ("down", "up"))
    hips = LAYOUT.index("left_hip")
    heights = [entry.example.keypoints[[0, -1], hips, 1] for entry in (down, up)]
    assert heights[0][0] > heights[0][1] + 0.1 and heights[1][1] > heights[1][0] + 0.1
    assert [entry.kind for entry in moves if entry.label == "other (held pose)"] == [OTHER] * 4
    assert all(entry.example.keypoints.shape[-1] == 3 for entry in moves)


def test_a_part_of_a_longer_motion_brings_its_neighbours_with_a_target_for_each_frame(made):
    _, corpus, _ = made
    falls = [entry for entry in corpus.entries if entry.data == "falls" and entry.label == "fall"]
    walk, fall = corpus.classes.index("walk"), corpus.classes.index("fall")
    for entry in falls:
        assert entry.kind == fall
        np.testing.assert_array_equal(entry.example.target, np.repeat([walk, fall, OTHER], 30))
    first = next(entry for entry in corpus.entries if entry.data == "falls" and entry.label == "walk")
    np.testing.assert_array_equal(first.example.target, np.repeat([walk, fall], 30))


def test_a_class_is_told_only_by_the_joints_that_carry_it():
    carriers = Carriers(("wave", "kick", "sit"), {"wave": "arm", "kick": "leg"}, LAYOUT)

    def told(target: int, *hidden: str) -> np.ndarray:
        shown = np.repeat(~np.array([[name.endswith(hidden) if hidden else False for name in LAYOUT.joints]]), 10, 0)
        return carriers.told(np.full(10, target), shown)

    legs, arms = ("hip", "knee", "ankle"), ("elbow", "wrist")
    assert (told(0, *legs) == 0).all() and (told(1, *legs) == OTHER).all() and (told(2, *legs) == 2).all()
    assert (told(0, *arms) == OTHER).all() and (told(1, *arms) == 1).all()
    assert all((told(target, "head", "shoulder", *arms) == OTHER).all() for target in range(3))  # two legs alone
    late = np.ones((10, V), bool)
    late[4:] = False  # seen for the first four of ten frames
    np.testing.assert_array_equal(carriers.told(np.full(10, 2), late), [2] * 8 + [OTHER] * 2)
    assert (carriers.told(np.full(3, IGNORE), np.zeros((3, V), bool)) == IGNORE).all()


def same(a, b) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("features", "targets", "weights", "ticks"))


def test_batches_are_the_same_anew_and_from_disk_and_streams_serve_every_seed(made, tmp_path):
    recipe, corpus, _ = made
    one, other, cold = (
        StreamBatchMaker(recipe, corpus, seed, folder)
        for seed, folder in ((0, tmp_path / "a"), (1, tmp_path / "a"), (0, tmp_path / "b"))
    )
    assert len(one) == 8 and one.per_epoch == 2
    assert all(same(one[i], cold[i]) for i in (0, 3, 4, 7))
    assert same(one[1], other[1]) and not same(one[5], other[5])
    assert len(list((tmp_path / "a").rglob("*.npz"))) == 4 and not list((tmp_path / "a").rglob("*.part"))
    batch = one[6]
    assert (batch.targets[~batch.inside] == IGNORE).all() and not batch.features[~batch.inside].any()
    assert set(np.unique(batch.targets)) <= {IGNORE, OTHER, *range(len(corpus.classes))}
    with pytest.raises(IndexError):
        one[8]


def test_a_data_set_that_is_left_out_teaches_nothing_and_its_streams_are_not_made_anew(made, tmp_path):
    recipe, _, folder = made
    without = dataclasses.replace(recipe, leave_out=("moves_3d",))
    files = {name: folder / f"{name}.npz" for name in recipe.data}
    whole, part = (StreamBatchMaker(each, load_corpus(each, files), 0, tmp_path) for each in (recipe, without))
    down = load_corpus(recipe, files).classes.index("down")
    batches = [whole[i] for i in range(8)], [part[i] for i in range(8)]
    assert any((batch.targets == down).any() for batch in batches[0])
    assert not any((batch.targets == down).any() for batch in batches[1])
    assert sum(len(batch.ticks) for batch in batches[1][:4]) < sum(len(batch.ticks) for batch in batches[0][:4])
    assert len(list(tmp_path.rglob("*.npz"))) == 4
    corpus = load_corpus(without, files)
    assert {entry.split for entry in corpus.entries if entry.data == "moves_3d"} == {"test"}


def test_data_sets_share_a_class_by_the_root_of_their_sizes():
    targets, data = np.zeros(110, np.int64), ["a"] * 100 + ["b"] * 10
    chances = draw_chances(targets, data, 0.5, 0.0)
    assert chances[:100].sum() / chances[100:].sum() == pytest.approx(10**0.5)


@pytest.mark.parametrize(
    "line, what",
    [
        ("carriers: {wave: arm}", "carriers: {wave: tail}"),
        ("carriers: {wave: arm}", "carriers: {swim: arm}"),
        ("most: 4", "most: -1"),
        ("skip_s: 0.2", "skip_s: true"),
        ("cycles: {dip: [down, up]}", "cycles: {dip: [down]}"),
    ],
)
def test_a_mistake_in_a_recipe_is_named(made, tmp_path, line, what):
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace(line, what))
    with pytest.raises(UserError, match=what.partition(":")[0]):
        load_recipe(tmp_path / "recipe.yaml")


def test_a_recipe_may_say_only_what_differs_from_another(made, tmp_path):
    (tmp_path / "base.yaml").write_text(RECIPE)
    (tmp_path / "more.yaml").write_text("extends: base.yaml\nmodel_id: other\ntrain: {epochs: 9}\n")
    base, more = (load_recipe(tmp_path / name) for name in ("base.yaml", "more.yaml"))
    assert more == dataclasses.replace(base, model_id="other", train=dataclasses.replace(base.train, epochs=9))
    (tmp_path / "more.yaml").write_text("extends: gone.yaml\n")
    with pytest.raises(UserError, match=r"no recipe .*gone\.yaml"):
        load_recipe(tmp_path / "more.yaml")


def test_what_belongs_to_no_class_is_a_class_of_its_own_in_training_and_doubt_afterwards():
    torch.manual_seed(0)
    network = PoseAttentionNetwork(PanConfig(width=4, heads=1, hidden=8, background=True), 3)
    features = torch.rand(2, 5, V, 5)
    assert network.train()(features).logits.shape == (2, 5, 4)
    with torch.no_grad():
        network.eval().classify.bias[3] = 50.0  # sure that it is nothing
        sure = network(features).logits.softmax(-1)
    torch.testing.assert_close(sure, torch.full_like(sure, 1 / 3), atol=1e-4, rtol=0)
    state = torch.zeros(2, network.state_size)
    with torch.no_grad():
        network.classify.bias[3] = 0.0
        whole = network(features).logits
        for tick in range(5):
            step, _, _, state = network.step(features[:, tick], state)
            torch.testing.assert_close(step, whole[:, tick], atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(2, 5))
    logits = torch.tensor([[[0.0, 0.0, 0.0, 5.0]]])
    nothing, something = (
        tick_loss(logits, torch.tensor([[target]]), torch.ones(1, 1), background=True) for target in (OTHER, 0)
    )
    assert nothing < 0.1 < something


def test_a_target_counts_at_once_after_frames_that_tell_nothing():
    assert UNTOLD == IGNORE
    joints = len(layout("common13").joints)
    targets = np.repeat([3, UNTOLD, 5, 6], 30)
    still = np.random.default_rng(0).uniform(-100, 100, (1, joints, 2)).astype(np.float32).repeat(len(targets), 0)
    config = StreamConfig(trim=0, speed_low=1, speed_high=1, ignore_s=0.5)
    clip = Example(still, np.ones((len(targets), joints), np.float32), 30.0, targets)
    ignored = join([clip], np.random.default_rng(0), layout("common13"), config).ignored
    assert not ignored[targets == 5].any()  # what came before it told nothing
    assert ignored[targets == 6].sum() == 15  # another target did: half a second teaches nothing
