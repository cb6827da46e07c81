"""Every kind of recogniser by the name that recipes and model.json have for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.models.committee import Committee
from pose_attention_ros.models.comparator import Comparator
from pose_attention_ros.models.pan import PanConfig, PoseAttentionNetwork
from pose_attention_ros.models.rpan import Rpan, RpanConfig
from pose_attention_ros.models.temporal_attention import TemporalAttention, TemporalAttentionConfig
from pose_attention_ros.models.where_to_focus import WhereToFocus, WhereToFocusConfig

PAN = "pan"
# name -> settings of its shape, network
KINDS: dict[str, tuple[type, type[nn.Module]]] = {
    PAN: (PanConfig, PoseAttentionNetwork),
    Rpan.kind: (RpanConfig, Rpan),
    WhereToFocus.kind: (WhereToFocusConfig, WhereToFocus),
    TemporalAttention.kind: (TemporalAttentionConfig, TemporalAttention),
}
Network = PoseAttentionNetwork | Committee | Comparator


def make_network(kind: str, shape: Mapping[str, Any] | Any, classes: int, members: int = 1) -> Network:
    """A network with random weights. Raises UserError for an unknown kind or setting.

    :param shape: its settings, as model.json has them or as the settings dataclass of the kind
    """
    if kind not in KINDS:
        raise UserError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    config, network = KINDS[kind]
    shape = config(**shape) if isinstance(shape, Mapping) else shape
    made = [network(shape, classes) for _ in range(members)]
    return Committee(made) if members > 1 else made[0]


def kind_of(network: Network) -> str:
    return network.kind if isinstance(network, Comparator) else PAN
