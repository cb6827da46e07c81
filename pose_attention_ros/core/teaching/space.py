"""The space in which taught actions are told apart, and what of it is taken already.

A stretch of motion is what the model says of its ticks (mean, maximum and spread of their embeddings) and where the joints
were and how they moved (mean of each third, extremes and spread), as a direction: brought to the training data's mean, and
divided by how much one and the same action differs from person to person and from side to side (within-class covariance
normalisation, Hatch, Kajarekar & Stolcke 2006).

E channels of a tick's embedding, V joints, P = 3 E + 24 V pooled channels, D dimensions of the space, M negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MOTION = 4  # channels of a joint that are read: place and velocity
_THIRDS = 3  # of a stretch, by which its beginning is told from its end


def pool_size(embedding_size: int, joints: int) -> int:
    """P."""
    return 3 * embedding_size + (_THIRDS + 3) * _MOTION * joints


def pooled(embeddings: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Embeddings (T, E) and features (T, V, C) of successive ticks, T >= 1 -> (P,) float32."""
    motion = features[..., :_MOTION].reshape(len(features), -1)
    begins = np.arange(_THIRDS) * len(motion) // _THIRDS
    ends = np.maximum(np.arange(1, _THIRDS + 1) * len(motion) // _THIRDS, begins + 1)
    thirds = [motion[begin:end].mean(0) for begin, end in zip(begins, ends)]
    return np.concatenate(
        [embeddings.mean(0), embeddings.max(0), embeddings.std(0), *thirds, motion.max(0), motion.min(0), motion.std(0)]
    ).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TeachingSpace:
    """mean, scale (P,); basis (P, D); negatives (M, D), unit vectors of motion that is none of a user's actions; known (M,)
    bool, which of them show a class of the model; network_sha256: the network whose embeddings it reads."""

    network_sha256: str
    mean: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    negatives: np.ndarray
    known: np.ndarray

    def __post_init__(self) -> None:
        pools, size = self.basis.shape if self.basis.ndim == 2 else (0, 0)
        wanted = {
            "mean": (pools,),
            "scale": (pools,),
            "basis": (pools, size),
            "negatives": (len(self.negatives), size),
            "known": (len(self.negatives),),
        }
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value.shape != shape or not shape[-1] or not np.isfinite(value).all():
                raise ValueError(f"{name} has shape {value.shape}, expected finite numbers of shape {shape}")
            object.__setattr__(self, name, value.astype(bool if name == "known" else np.float32))
        if not (self.scale > 0).all():
            raise ValueError(f"the least scale is {self.scale.min():g}, expected positive scales")

    def place(self, pools: np.ndarray) -> np.ndarray:
        """(..., P) of `pooled` -> (..., D) unit vectors."""
        return unit(((pools - self.mean) / self.scale) @ self.basis)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., D) of length 1, float32."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


def fitted(pools: np.ndarray, labels: np.ndarray, shrinkage: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """mean, scale and basis (P, P) of a space in which clips of one label lie close together.

    :param pools: (N, P) of labelled clips; labels: (N,), as fine as they are known
    :param shrinkage: share of an even spread in the covariance within labels
    """
    inside = np.concatenate(
        [
            pools[labels == label] - pools[labels == label].mean(0)
            for label in np.unique(labels)
            if (labels == label).sum() > 3
        ]
    )
    scale = inside.std(0) + 1e-4
    covariance = (inside / scale).T @ (inside / scale) / len(inside)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.eye(len(scale)) * np.trace(covariance) / len(scale)
    values, vectors = np.linalg.eigh(covariance)
    return pools.mean(0), scale, vectors / np.sqrt(values)


def reduced(basis: np.ndarray, pools: np.ndarray, mean: np.ndarray, scale: np.ndarray, size: int) -> np.ndarray:
    """`basis` (P, D) brought to the `size` directions in which the clips (N, P) differ most."""
    placed = ((pools - mean) / scale) @ basis
    _, vectors = np.linalg.eigh(placed.T @ placed / len(placed))
    return basis @ vectors[:, -size:]
