"""How good the pose network is while it trains: its loss, and the people it finds, on photos it does not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from pose_attention_ros.core.body.layouts import layout, layout_map
from pose_attention_ros.core.messages.images import read_image
from pose_attention_ros.core.types import Skeletons
from pose_attention_ros.data.pose_images import Photo
from pose_attention_ros.evaluation.keypoints import LAYOUT, KeypointScore, score_keypoints
from pose_attention_ros.inference.letterbox import Letterbox
from pose_attention_ros.inference.paf_decoding import DecodeConfig, decode
from pose_attention_ros.models.pose_cnn import STRIDE, PoseCnn
from pose_attention_ros.models.pose_losses import pose_loss
from pose_attention_ros.training.pose_batches import plain_batch
from pose_attention_ros.training.pose_recipe import PoseRecipe

_BATCH = 16


@torch.inference_mode()
def validation_loss(network: PoseCnn, photos: Sequence[Photo], recipe: PoseRecipe) -> float:
    """Mean loss over the photos as they are."""
    device = next(network.parameters()).device
    network.eval()
    total = 0.0
    for begin in range(0, len(photos), _BATCH):
        chunk = list(photos[begin : begin + _BATCH])
        image, target, weight = plain_batch(chunk, recipe)
        _, stages = network(image.to(device).float() / 255)
        on_device = [type(maps)(*(each.to(device) for each in maps)) for maps in (target, weight)]
        total += len(chunk) * float(pose_loss(stages, *on_device, recipe.train.emphasis))
    return total / max(1, len(photos))


@torch.inference_mode()
def found_people(
    network: PoseCnn, photos: Sequence[Photo], input_size: int, config: DecodeConfig | None = None, stages: int | None = None
) -> list[Skeletons]:
    """The people of each photo, fitted into an input whose longer side is `input_size` as a robot's pose stage does it."""
    import cv2

    network.eval()
    device, joints = next(network.parameters()).device, network.layout
    answers = []
    for photo in photos:
        image = read_image(photo.path)
        fit = Letterbox.fit(photo.size, input_size, STRIDE)
        canvas = np.zeros((*fit.input_size[::-1], 3), np.uint8)
        canvas[fit.slices] = cv2.cvtColor(cv2.resize(image, fit.content_size), cv2.COLOR_BGR2RGB)
        _, maps = network(torch.from_numpy(canvas).to(device).permute(2, 0, 1)[None].float() / 255, stages)
        confidence, affinity = (each[0].float().cpu().numpy() for each in maps[-1])
        people = decode(confidence, affinity, joints, config)
        keypoints = fit.to_image(people.keypoints) * (people.scores > 0)[..., None]
        answers.append(
            Skeletons(
                0,
                "",
                joints,
                photo.size,
                keypoints,
                people.scores,
                np.zeros((len(people), 4), np.float32),
                people.person_scores,
            )
        )
    return answers


def validation_score(network: PoseCnn, photos: Sequence[Photo], recipe: PoseRecipe) -> KeypointScore:
    """AP over COCO's joints at the size that the network is trained at."""
    return score_keypoints(
        [in_coco_joints(photo) for photo in photos], found_people(network, photos, recipe.train.input_size)
    )


def in_coco_joints(photo: Photo, source: str = "openpose18") -> Photo:
    """The photo with COCO's seventeen joints."""
    keypoints, scores = layout_map(layout(source).name, LAYOUT.name)(photo.keypoints_px, photo.labelled.astype(np.float32))
    return replace(photo, keypoints_px=keypoints, labelled=scores > 0)
