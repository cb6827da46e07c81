"""Where a run begins: from a trained model rather than from random numbers (the recipe's `start_from`)."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import Any

import torch

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.inference.recogniser import SPEC_FILE, find_model
from pose_attention_ros.models.bundle import load_network
from pose_attention_ros.models.committee import Committee
from pose_attention_ros.models.kinds import kind_of
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork

_log = logging.getLogger(__name__)
_MAY_DIFFER = ("dropout", "stream_dropout")  # the shape of the weights does not depend on them
_HEADS = ("classify", "classify_joints")  # one row a class
ENOUGH_TO_CALIBRATE = 100  # validation clips; with fewer, perhaps all right, any confidence would look honest


def network_shape(start_from: str, given: Mapping[str, Any]) -> PanConfig:
    """The shape of the model called `start_from`, with what the recipe's `model` says of it.

    :raises UserError: there is no such model with weights, or the recipe wants another shape
    """
    network = load_network(find_model(start_from))
    if not isinstance(network, PoseAttentionNetwork):
        what = f"{len(network.members)} networks" if isinstance(network, Committee) else kind_of(network)
        raise UserError(f"start_from {start_from!r} is {what}, expected one Pose-Attention Network")
    shape = network.config
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    odd = [
        f"{name} {value!r} (it has {getattr(shape, name)!r})"
        for name, value in given.items()
        if name not in _MAY_DIFFER and value != getattr(shape, name)
    ]
    if odd:
        raise UserError(f"model: {', '.join(odd)} does not fit start_from {start_from!r}; leave it out")
    return dataclasses.replace(shape, **given)


def adopt(network: PoseAttentionNetwork, start_from: str, classes: tuple[str, ...]) -> None:
    """Copy the weights of `start_from` into `network`: all but the rows of classes that it does not know."""
    folder = find_model(start_from)
    known = json.loads((folder / SPEC_FILE).read_text())["classes"]
    source, target = load_network(folder).state_dict(), network.state_dict()
    rows = [(classes.index(name), known.index(name)) for name in classes if name in known]
    if network.config.background:
        rows.append((len(classes), len(known)))
    with torch.no_grad():
        for name, values in source.items():
            if name.partition(".")[0] not in _HEADS:
                target[name].copy_(values)
                continue
            for new, old in rows:
                target[name][new] = values[old]
    both = [name for name in classes if name in known]
    _log.info("starting from %s; classes it knows: %s", folder, ", ".join(both) or "none")


def weights_sha256(start_from: str) -> str:
    """Of the weights of the model called `start_from`."""
    return json.loads((find_model(start_from) / SPEC_FILE).read_text())["safetensors_sha256"]


def kept_calibration(start_from: str) -> dict[str, Any]:
    """Temperature and threshold of the model called `start_from`; for each class there is none."""
    spec = json.loads((find_model(start_from) / SPEC_FILE).read_text())
    return {"temperature": float(spec["temperature"]), "threshold": float(spec["threshold"]), "thresholds": ()}
