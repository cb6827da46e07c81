"""Features of images: the extractor on its own, cached on disk, shared by a pose network, and fed to a recogniser."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pixel_helpers import features_by_hand, sha256_of, write_backbone

from pose_attention_ros.core.action_stage import ActionStage
from pose_attention_ros.core.actions.pixels import ImageFeatures
from pose_attention_ros.core.actions.recogniser import ModelSpec, StepOutput
from pose_attention_ros.core.body.crops import CropConfig, crop_parts
from pose_attention_ros.core.body.layouts import LAYOUTS
from pose_attention_ros.core.errors import ModelError, UserError
from pose_attention_ros.core.types import FEATURE_NAMES, Frame, SkeletonGraphs
from pose_attention_ros.data.dataset import Clip, SkeletonDataset
from pose_attention_ros.data.feature_cache import FeatureConfig, cached_features
from pose_attention_ros.data.pixel_clips import DecodedPixels, PixelClip, mirrored_label
from pose_attention_ros.data.pixel_views import chosen_frames, fitted, mirrored_clip
from pose_attention_ros.inference.extractors import ExtractorConfig, create_extractor
from pose_attention_ros.inference.pixel_feeds import PixelFeedConfig, create_pixel_feed

LAYOUT = LAYOUTS["common13"]
JOINTS = len(LAYOUT.joints)
RNG = np.random.default_rng(0)


def images_of(count: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, height, width, 3), np.uint8)


def source_of(sizes: tuple[tuple[int, int], ...] = ((48, 64),) * 3) -> tuple[DecodedPixels, list[tuple]]:
    """Three clips, and a list that grows with every reading of their images."""
    rng = np.random.default_rng(1)
    clips, pictures, reads = [], [], []
    for number, (height, width) in enumerate(sizes):
        frames = 5 + number
        keypoints = rng.uniform(5, 40, (frames, JOINTS, 2)).astype(np.float32)
        label = ("wave_left_hand", "squat", "kick")[number]
        clips.append(Clip(keypoints, np.ones((frames, JOINTS), np.float32), label, 10.0))
        pictures.append(images_of(frames, height, width, number))

    def read(clip, frames):
        reads.append((clip, tuple(frames)))
        return pictures[clip][np.asarray(frames)]

    return DecodedPixels(SkeletonDataset.from_clips(clips, LAYOUT.joints), read, "three clips"), reads


@pytest.fixture
def backbone(tmp_path):
    path = tmp_path / "backbone.onnx"
    return path, write_backbone(path)


@pytest.fixture
def extractor(backbone):
    return create_extractor(ExtractorConfig(str(backbone[0])))


def test_features_are_those_of_the_network_whatever_the_number_of_images(extractor, backbone):
    images = images_of(70)
    found = extractor(images)
    assert found.dtype == np.float32 and found.shape == (70, 4, 6, 8) == (70, extractor.channels, 48 // 8, 64 // 8)
    np.testing.assert_allclose(found, features_by_hand(images, backbone[1]), atol=1e-5)
    assert extractor.sha256 == sha256_of(backbone[0]) and extractor.stride == 8
    with pytest.raises(UserError, match="60x48 px, expected multiples of 8"):
        extractor(images[:, :, :60])


def test_weights_that_are_no_pose_network_are_refused(tmp_path):
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match="no pose network with input image and output features"):
        create_extractor(ExtractorConfig(str(tmp_path / "text.onnx")))
    with pytest.raises(ModelError, match="no model"):
        create_extractor(ExtractorConfig(str(tmp_path / "absent")))


@pytest.mark.parametrize("kind", ["cube", "frame", "crops"])
@pytest.mark.parametrize("mirror", [False, True])
def test_the_cache_holds_what_the_extractor_says_and_is_read_the_second_time(tmp_path, extractor, kind, mirror):
    source, reads = source_of()
    config, crops = FeatureConfig(frames=4, mirror=mirror), CropConfig(crop_size=16)
    table = cached_features(source, extractor, kind, config, tmp_path / "cache", crops)
    once = len(reads)
    clip = mirrored_clip(source[1]) if mirror else source[1]
    frames = chosen_frames(6, 4)
    parts = crop_parts(clip.images_bgr, clip.keypoints_px, clip.scores, clip.joints, crops)[frames]
    wanted = {
        "cube": extractor(clip.images_bgr[frames]),
        "frame": extractor(clip.images_bgr[frames]).mean((2, 3)),
        "crops": np.stack([extractor(frame).mean((2, 3)) for frame in parts]),
    }[kind]
    np.testing.assert_allclose(table[1], wanted, atol=2e-3)
    assert (len(table), table.labels[0]) == (3, "wave_right_hand" if mirror else "wave_left_hand")
    assert table.frames[1].tolist() == frames.tolist() == [0, 2, 3, 5]
    reads.clear()
    again = cached_features(source, extractor, kind, config, tmp_path / "cache", crops)
    np.testing.assert_array_equal(again[2], table[2])
    assert not reads and once


def test_other_weights_data_or_settings_are_another_entry(tmp_path, extractor):
    source, _ = source_of()
    folder = tmp_path / "cache"
    write_backbone(tmp_path / "other.onnx", seed=5)
    other = create_extractor(ExtractorConfig(str(tmp_path / "other.onnx")))
    moved = DecodedPixels(source.skeletons, source.images, "others")
    for number, (data, network, config) in enumerate(
        [
            (source, extractor, FeatureConfig()),
            (source, other, FeatureConfig()),
            (moved, extractor, FeatureConfig()),
            (source, extractor, FeatureConfig(frames=3)),
            (source, extractor, FeatureConfig(image_size=32)),
        ],
        1,
    ):
        cached_features(data, network, "frame", config, folder)
        assert len(list(folder.glob("*.npy"))) == number


def test_clips_of_several_sizes_need_one(tmp_path, extractor):
    source, _ = source_of(((48, 64), (64, 48), (48, 64)))
    with pytest.raises(UserError, match="set image_size"):
        cached_features(source, extractor, "cube", FeatureConfig(), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())  # nothing half-written stays
    table = cached_features(source, extractor, "cube", FeatureConfig(image_size=32), tmp_path / "cache")
    assert table[1].shape == (8, 4, 4, 4)


def test_a_mirror_twice_is_none_and_joints_stay_on_their_pixels():
    rng = np.random.default_rng(0)
    image = np.zeros((1, 40, 60, 3), np.uint8)
    keypoints = rng.permutation(np.stack(np.meshgrid(np.arange(5, 50, 9), np.arange(5, 38, 9)), -1).reshape(-1, 2))[:JOINTS]
    for joint, (x, y) in enumerate(keypoints):
        image[0, y, x] = joint + 1
    clip = PixelClip(
        image, keypoints[None] + np.float32(0.5), np.ones((1, JOINTS), np.float32), LAYOUT.joints, "wave_left_hand"
    )
    seen = mirrored_clip(clip)
    for joint, name in enumerate(LAYOUT.joints):
        x, y = seen.keypoints_px[0, LAYOUT.mirror[joint]].astype(int)
        assert seen.images_bgr[0, y, x, 0] == joint + 1, name
    assert seen.label == "wave_right_hand" and mirrored_label("both left and right") == "both right and left"
    again = mirrored_clip(seen)
    assert np.array_equal(again.images_bgr, clip.images_bgr) and again.label == clip.label
    np.testing.assert_allclose(again.keypoints_px, clip.keypoints_px)


def test_fitting_keeps_joints_on_their_pixels():
    image = np.zeros((1, 40, 80, 3), np.uint8)
    image[0, 20:28, 40:48] = 255
    keypoints = np.full((1, JOINTS, 2), (44, 24), np.float32)
    clip = PixelClip(image, keypoints, np.ones((1, JOINTS), np.float32), LAYOUT.joints, "x")
    seen = fitted(clip, 160)
    rows, columns = np.nonzero(seen.images_bgr[0, ..., 0] > 127)
    np.testing.assert_allclose(seen.keypoints_px[0, 0], [columns.mean() + 0.5, rows.mean() + 0.5], atol=0.01)
    assert seen.images_bgr.shape == (1, 160, 160, 3) and not seen.images_bgr[0, :40].any()


def test_shared_features_are_those_of_the_square_in_the_image(extractor, backbone):
    """A square that lies on the cells of a scaled and shifted image gives these very cells."""
    image = images_of(1, 64, 64)[0]
    cube = extractor(image[None])[0]
    shared = ImageFeatures(1, extractor.sha256, 8, (0.5, 0.5), (8.0, 0.0), cube)
    # Input pixels 16..48 by 8..40 are image pixels (16-8)/0.5..(48-8)/0.5 by 16..80.
    found = shared.sampled(np.array([48.0, 48.0, 64.0]), (4, 4))
    np.testing.assert_allclose(found, cube[:, 1:5, 2:6], atol=1e-5)
    assert shared.pixels_a_cell(64.0, 4) == 8
    beyond = shared.sampled(np.array([-200.0, -200.0, 64.0]), (4, 4))
    assert not beyond.any()


# What the action stage gets -------------------------------------------------------------------------------------------


def spec_of(pixels: str, shape: tuple, sha256: str, **extractor) -> ModelSpec:
    return ModelSpec(
        "pixels",
        "0" * 64,
        ("a", "b"),
        LAYOUT,
        FEATURE_NAMES,
        10.0,
        1,
        0.0,
        1.0,
        1.0,
        0.5,
        pixels=pixels,
        pixels_shape=shape,
        extractor={"name": "pose_cnn", "sha256": sha256, "image_size": 32, "crop_size": 16, **extractor},
    )


def graphs_of(stamp_ns: int, places: list[tuple[float, float]], ids: list[int]) -> SkeletonGraphs:
    """People of 40 px at `places`, who stand still."""
    rng = np.random.default_rng(4)
    nodes = np.tile(rng.uniform(-1, 1, (1, JOINTS, 2)).astype(np.float32), (len(ids), 1, 1))
    features = np.zeros((len(ids), JOINTS, len(FEATURE_NAMES)), np.float32)
    features[..., :2], features[..., -1] = nodes, 1
    roots = np.array(places, np.float32).reshape(-1, 2)
    boxes = np.concatenate([roots - 20, roots + 20], 1)
    count = len(ids)
    return SkeletonGraphs(
        stamp_ns,
        "",
        LAYOUT,
        (160, 120),
        np.array(ids, int),
        nodes,
        features,
        np.ones((count, JOINTS)),
        np.zeros(count),
        roots,
        np.full(count, 20.0),
        boxes,
    )


@pytest.mark.parametrize("pixels, shape", [("cube", (4, 4, 4)), ("frame", (4,)), ("crops", (3, 4))])
def test_each_person_gets_the_features_of_their_own_place(extractor, backbone, pixels, shape):
    feed = create_pixel_feed(spec_of(pixels, shape, extractor.sha256), PixelFeedConfig(str(backbone[0])))
    image = np.zeros((120, 160, 3), np.uint8)
    image[:, :80], image[:, 80:] = (0, 0, 200), (200, 0, 0)  # red on the left, blue on the right
    feed.see(Frame(image, 1), graphs_of(1, [(40, 60), (120, 60)], [7, 9]))
    found = feed.pixels([1, 0, 1])
    assert found.shape == (3, *shape) and found.dtype == np.float32
    np.testing.assert_array_equal(found[0], found[2])
    red, blue = (backbone[1] @ np.array(rgb) * (200 / 255) for rgb in ((1, 0, 0), (0, 0, 1)))
    means = found.mean((-2, -1)) if pixels == "cube" else found
    for values, wanted in ((means[1], red), (means[0], blue)):
        np.testing.assert_allclose(values, np.broadcast_to(wanted, values.shape), atol=0.12)


def test_the_square_stands_still_while_the_person_acts_and_follows_when_they_go(extractor, backbone):
    feed = create_pixel_feed(spec_of("frame", (4,), extractor.sha256), PixelFeedConfig(str(backbone[0])))
    image = images_of(1, 120, 160)[0]

    def at(x: float) -> np.ndarray:
        feed.see(Frame(image, 1), graphs_of(1, [(x, 60)], [1]))
        return feed.pixels([0])

    still = at(80)
    np.testing.assert_array_equal(at(84), still)
    moved = at(120)
    assert np.abs(moved - still).max() > 1e-4
    feed.reset()
    np.testing.assert_array_equal(at(120), moved)


def test_shared_features_serve_where_they_are_of_this_image_network_and_size(extractor, backbone):
    image = images_of(1, 120, 160)[0]
    shared = ImageFeatures(5, extractor.sha256, 8, (0.5, 0.5), (0.0, 0.0), extractor(images_of(1, 64, 80))[0])
    holder = [None]
    spec = spec_of("cube", (4, 4, 4), extractor.sha256)
    feed = create_pixel_feed(spec, PixelFeedConfig(str(backbone[0])), lambda: holder[0])

    def seen(features) -> bool:
        """Whether the shared features were taken."""
        holder[0], before = features, feed.shared
        feed.see(Frame(image, 5), graphs_of(5, [(80, 60)], [1]))
        found = feed.pixels([0])
        if feed.shared > before:
            square = np.array([80.0, 60.0, 40 / 0.62])
            np.testing.assert_allclose(found[0], features.sampled(square, (4, 4)), atol=1e-5)
        return feed.shared > before

    assert seen(shared)
    assert not seen(None)
    for change in ({"stamp_ns": 4}, {"sha256": "other"}, {"scale": (0.2, 0.2)}, {"scale": (1.5, 1.5)}):
        assert not seen(dataclasses.replace(shared, **change)), change


@pytest.mark.parametrize("pixels, shape, settings", [("crops", (3, 4), {}), ("frame", (4,), {"share_features": False})])
def test_crops_and_those_who_do_not_want_it_share_nothing(extractor, backbone, pixels, shape, settings):
    asked = []
    feed = create_pixel_feed(
        spec_of(pixels, shape, extractor.sha256), PixelFeedConfig(str(backbone[0]), **settings), lambda: asked.append(1)
    )
    feed.see(Frame(images_of(1, 120, 160)[0], 5), graphs_of(5, [(80, 60)], [1]))
    assert feed.pixels([0]).shape == (1, *shape) and feed.details()["features_shared"] == "0" and not asked


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sha256": "f" * 64}, "was trained on features of pose_cnn ffffffffffff"),
        ({"name": "resnet"}, "extractor is 'resnet'"),
        ({"image_size": 64}, r"reads pixels of shape \(4, 4, 4\), pose_cnn gives \(4, 8, 8\)"),
    ],
)
def test_a_model_that_does_not_fit_the_extractor_is_refused(extractor, backbone, change, message):
    spec = spec_of("cube", (4, 4, 4), extractor.sha256)
    spec = dataclasses.replace(spec, extractor={**spec.extractor, **change})
    with pytest.raises(UserError, match=message):
        create_pixel_feed(spec, PixelFeedConfig(str(backbone[0])))
    lacking = dataclasses.replace(spec, extractor={"name": "pose_cnn"})
    with pytest.raises(ModelError, match="lacks"):
        create_pixel_feed(lacking, PixelFeedConfig(str(backbone[0])))


class Listening:
    """A recogniser that writes down the pixels of every step."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec, self.steps = spec, []

    def step(self, features, state, pixels=None):
        self.steps.append(pixels)
        people = len(features)
        return StepOutput(
            np.zeros((people, 2), np.float32),
            np.full((people, JOINTS), 1 / JOINTS, np.float32),
            np.zeros(people, np.float32),
            state,
        )


def test_pixels_are_worked_out_at_ticks_alone_and_once_for_both_states_of_a_person(extractor, backbone):
    """Frames at 30 Hz, ticks at 10 Hz; a person who is seen for longer than the memory has two states."""
    spec = spec_of("frame", (4,), extractor.sha256)
    feed = create_pixel_feed(spec, PixelFeedConfig(str(backbone[0])))
    recogniser = Listening(spec)
    stage = ActionStage(recogniser, None, feed)
    stage.configure(dataclasses.replace(stage.config, memory_s=0.5, rest_speed=0.0))
    images = images_of(60, 120, 160)
    for number, image in enumerate(images):
        stamp = number * 33_333_333
        stage(graphs_of(stamp, [(50, 60), (110, 60)], [1, 2]), Frame(image, stamp))
    assert len(recogniser.steps) == 20
    assert recogniser.steps[2].shape == (2, 4) and recogniser.steps[-1].shape == (4, 4)
    np.testing.assert_array_equal(recogniser.steps[-1][0], recogniser.steps[-1][1])
    assert np.abs(recogniser.steps[-1][0] - recogniser.steps[-1][2]).max() > 0


def test_without_the_image_a_model_that_reads_it_does_not_begin(extractor):
    with pytest.raises(ModelError, match="reads the image too"):
        ActionStage(Listening(spec_of("frame", (4,), extractor.sha256)))


@pytest.mark.training
@pytest.mark.parametrize(
    "name, shape, features", [("bn_inception", (2, 96, 128, 3), (2, 1024, 3, 4)), ("i3d", (16, 64, 64, 3), (2, 1024, 2, 2))]
)
def test_networks_of_installed_libraries(name, shape, features):
    """Untrained: what is tested is that the library gives the features under the name that we ask for."""
    pytest.importorskip(
        {"bn_inception": "pytorchcv.models.bninception", "i3d": "cdfvd.third_party.i3d.pytorch_i3d"}[name],
        reason=f"the library that brings {name} is not installed (pip install '.[extractors]')",
    )
    network = create_extractor(ExtractorConfig("random", 1, name))
    found = network(images_of(*shape[:3]))
    assert found.shape == features and np.isfinite(found).all() and (network.channels, network.stride) == (1024, 32)
    with pytest.raises(UserError, match=r"expected at least 32 px|sees 8 images at once"):
        network(images_of(3, 24, 40))


@pytest.mark.training
def test_a_library_that_is_missing_is_named(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setitem(__import__("sys").modules, "pytorchcv.models.vgg", None)
    with pytest.raises(ModelError, match=r"vgg16 comes with pytorchcv, .*: pip install --no-deps pytorchcv"):
        create_extractor(ExtractorConfig("random", 1, "vgg16"))
