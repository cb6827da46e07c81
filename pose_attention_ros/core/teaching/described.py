"""The identity of a model that was taught actions: its classes and a hash that changes with them."""

from __future__ import annotations

import dataclasses
import hashlib

from pose_attention_ros.core.actions.recogniser import ModelSpec
from pose_attention_ros.core.teaching.actions import TaughtActions


def with_taught(spec: ModelSpec, taught: TaughtActions | None) -> ModelSpec:
    """`spec` with the taught actions as its last classes, and the hash of weights and takes."""
    if not taught or not taught.actions:
        return spec
    digest = hashlib.sha256(spec.sha256.encode())
    for action in taught.actions:
        digest.update(action.name.encode() + b"\0" + action.takes.tobytes() + b"\0")
    thresholds = (*spec.thresholds, *[spec.threshold] * len(taught.actions)) if spec.thresholds else ()
    return dataclasses.replace(
        spec, classes=(*spec.classes, *taught.names), sha256=digest.hexdigest(), thresholds=thresholds
    )
