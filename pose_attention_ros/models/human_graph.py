"""Human Graph Network: joints of one frame -> embeddings of joints that know their limbs and their body parts.

Li & Wang 2020, section 2.2; the numbers in parentheses are that paper's equations. B is any number of frames,
V joints, C input channels, D embedding width, P body parts (clusters).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose_attention_ros.core.body.adjacency import adjacency
from pose_attention_ros.core.body.layouts import PARTS, Layout

# How strongly a joint starts out in its own body part: softmax then gives it about 0.8 of six parts.
PART_PRIOR = 3.0


def normalised(links: Tensor) -> Tensor:
    """D~^-1/2 (A + I) D~^-1/2 of (1); `links` (V, V), not negative."""
    with_self = links + torch.eye(len(links))
    scale = with_self.sum(-1).rsqrt()
    return scale[:, None] * with_self * scale


class HumanGraphNetwork(nn.Module):
    """Graph convolution, soft assignment to body parts, pooling, and the way back to the joints.

    :param graph_convolution: False cuts every edge (A = 0), for the ablation
    :param pooling: False leaves out (2)-(4) and what the parts tell the joints
    :param assignment: `relu` is the paper's form of (2), `softmax` runs over the parts
    """

    def __init__(
        self,
        layout: Layout,
        channels: int,
        width: int,
        *,
        graph_convolution: bool = True,
        pooling: bool = True,
        assignment: str = "softmax",
    ) -> None:
        super().__init__()
        links = torch.from_numpy(adjacency(layout)) * float(graph_convolution)
        joints = len(layout.joints)
        self.assignment = assignment
        self.pooling = pooling
        self.register_buffer("links", links, persistent=False)  # A
        self.register_buffer("spread", normalised(links), persistent=False)  # D~^-1/2 A~ D~^-1/2
        self.lift = nn.Linear(channels, width)  # W_0 of (1)
        # A node also carries its name, as a one-hot channel; these are the rows of W_0 that read it.
        self.joint_name = nn.Parameter(torch.randn(joints, width) * 0.1)
        self.embed = nn.Linear(width, width)  # of (5)
        if pooling:
            self.assign = nn.Linear(width, len(PARTS))  # G of (2)
            prior = torch.zeros(joints, len(PARTS))
            prior[torch.arange(joints), torch.from_numpy(layout.part_indices)] = PART_PRIOR
            self.part_prior = nn.Parameter(prior)
            self.register_buffer("itself", torch.eye(len(PARTS)), persistent=False)
            self.part = nn.Linear(width, width)  # (1) between parts
            self.join = nn.Linear(2 * width, width)

    def first_nodes(self, features: Tensor, scale: Tensor | float) -> Tensor:
        """(1) of the joints: features (B, V, C) to be divided by scale (C,) -> (B, V, D). All joints in one product, which
        costs a runtime less than a product over the channels and one over the joints."""
        weight = torch.einsum("uv,dc->udvc", self.spread, self.lift.weight / scale).flatten(2).flatten(0, 1)  # (V D, V C)
        bias = (self.spread @ (self.lift.bias + self.joint_name)).flatten()
        return functional.linear(features.flatten(1), weight, bias).relu().unflatten(-1, self.joint_name.shape)

    def embed_and_assign(self, nodes: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(5) Z (B, V, D) and (2) S (B, V, P) in one product; a missing joint belongs to no part."""
        layers, width = (self.embed, self.assign), self.embed.out_features
        weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
        constant = self.spread.sum(-1, keepdim=True) * bias + functional.pad(self.part_prior, (width, 0))
        embedded, raw = (self.spread @ functional.linear(nodes, weight) + constant).tensor_split([width], -1)
        soft = raw.softmax(-1) if self.assignment == "softmax" else raw.relu()
        return embedded.relu(), soft * mask

    def forward(self, features: Tensor, mask: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """features (B, V, C), 0 where mask (B, V, 1) is 0, their channels to be divided by scale (C,) -> h_it (B, V, D)."""
        nodes = self.first_nodes(features, scale)
        if not self.pooling:
            return (self.spread @ self.embed(nodes)).relu()  # (5) Z                     (B, V, D)
        embedded, soft = self.embed_and_assign(nodes, mask)
        gather = soft.transpose(-1, -2)
        parts = gather @ embedded  # (3) X_{l+1}                                         (B, P, D)
        part_links = gather @ self.links @ soft + self.itself  # (4) A_{l+1} + I         (B, P, P)
        degree = part_links.sum(-1, keepdim=True).sqrt()  # D~^1/2
        parts = self.part(parts.flatten(0, 1)).unflatten(0, parts.shape[:2])
        parts = (part_links @ (parts / degree) / degree).relu()  # (1) between parts      (B, P, D)
        joined = self.join(torch.cat([embedded, soft @ parts], -1).flatten(0, 1)).relu()  # [Z ; S X']  (B V, D)
        return joined.unflatten(0, soft.shape[:2])
