"""Do the published weights mean anything? Taking away what they name must hurt more than taking away something else.

Joints: the k joints with the highest weight in a clip are hidden throughout. Moments: the ticks with the highest weight
are cut out. Both against the least weighted and against chance; for moments chance is the same pattern shifted round the
clip, so that what is cut out has the same length and shape. The score is the probability of the true class at the end.
N clips, T ticks, V joints, C features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.evaluation import metrics
from pose_attention_ros.evaluation.robustness import bootstrap

JOINTS_HIDDEN = (1, 2, 3, 4, 5, 6)
TICKS_CUT = (0.1, 0.2, 0.3, 0.4, 0.5)
RANDOM_DRAWS = 4
KINDS = ("named", "random", "least")
_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Watched:
    """A clip as the recogniser saw it: score, the probability of the true class at the end; joint_weights (T, V) and
    frame_weights (T,) as published with the last tick, over the whole clip, sum 1."""

    score: float
    joint_weights: np.ndarray
    frame_weights: np.ndarray

    def joints(self) -> np.ndarray:
        """(V,) how much each joint was attended to, the moments weighed as they were."""
        return self.frame_weights @ self.joint_weights


def watch(recogniser: Recogniser, ticks: Sequence[np.ndarray], truth: Sequence[int]) -> list[Watched]:
    """Show each (T, V, C) from its first tick on."""
    spec = recogniser.spec
    order = np.argsort([len(each) for each in ticks], kind="stable")
    found: dict[int, Watched] = {}
    for begin in range(0, len(order), _AT_ONCE):
        rows = order[begin : begin + _AT_ONCE]
        lengths = np.array([len(ticks[i]) for i in rows])
        state = np.zeros((len(rows), spec.state_size), np.float32)
        logits = np.zeros((len(rows), len(spec.classes)), np.float32)
        joints = np.zeros((lengths.max(), len(rows), len(spec.layout.joints)), np.float32)
        energy = np.full((lengths.max(), len(rows)), -np.inf, np.float32)
        for tick in range(lengths.max()):
            there = np.flatnonzero(tick < lengths)
            output = recogniser.step(np.stack([ticks[rows[b]][tick] for b in there]), state[there])
            state[there], logits[there] = output.state, output.logits
            joints[tick, there], energy[tick, there] = output.joint_attention, output.frame_energy
        chances = metrics.softmax(logits / spec.temperature)
        for b, i in enumerate(rows):
            n = lengths[b]
            age_s = (n - 1 - np.arange(n)) / spec.rate_hz
            found[i] = Watched(
                float(chances[b, truth[i]]), joints[:n, b], metrics.softmax(energy[:n, b] - spec.decay_per_s * age_s)
            )
    return [found[i] for i in range(len(ticks))]


def without_joints(ticks: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """(T, V, C) with these joints missing throughout."""
    hidden = ticks.copy()
    hidden[:, joints] = 0
    return hidden


def chosen_joints(kind: str, weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` joints by their weights (V,)."""
    if kind == "random":
        return rng.permutation(len(weights))[:count]
    order = np.argsort(weights)
    return order[::-1][:count] if kind == "named" else order[:count]


def chosen_ticks(kind: str, weights: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) bool, True for the share of the ticks that is cut out; at least one tick stays and one goes."""
    count = int(np.clip(round(share * len(weights)), 1, max(len(weights) - 1, 0)))
    order = np.argsort(weights)
    cut = np.zeros(len(weights), bool)
    cut[order[:count] if kind == "least" else order[len(order) - count :]] = True
    return np.roll(cut, rng.integers(len(cut))) if kind == "random" else cut


def faithfulness(
    recogniser: Recogniser,
    ticks: Sequence[np.ndarray],
    truth: Sequence[int],
    seed: int,
    done: Callable[[int], None] = lambda runs: None,
) -> dict:
    """Fall of the score, in points, by what is taken away; with 95 % intervals over the clips.

    :param ticks: clips of at least two ticks; :param truth: their class indices
    :param done: called with 1 after each pass over the clips; there are `passes()`
    """
    rng = np.random.default_rng(seed)
    seen = watch(recogniser, ticks, truth)
    before = np.array([each.score for each in seen])

    def falls(kind: str, changed: Callable[[int], np.ndarray]) -> np.ndarray:
        """(N,) points lost, the mean over draws."""
        draws = []
        for _ in range(RANDOM_DRAWS if kind == "random" else 1):
            after = watch(recogniser, [changed(i) for i in range(len(ticks))], truth)
            draws.append(100 * (before - [each.score for each in after]))
            done(1)
        return np.mean(draws, axis=0)

    result: dict = {"clips": len(ticks), "score_before": metrics.rounded(before.mean()), "joints": {}, "moments": {}}
    weights = [each.joints() for each in seen]
    for count in JOINTS_HIDDEN:
        lost = {
            kind: falls(
                kind, lambda i, kind=kind, count=count: without_joints(ticks[i], chosen_joints(kind, weights[i], count, rng))
            )
            for kind in KINDS
        }
        result["joints"][str(count)] = _row(lost, seed)
    for share in TICKS_CUT:
        lost = {
            kind: falls(
                kind, lambda i, kind=kind, share=share: ticks[i][~chosen_ticks(kind, seen[i].frame_weights, share, rng)]
            )
            for kind in KINDS
        }
        result["moments"][f"{share:.1f}"] = _row(lost, seed)
    result["rank_correlation_of_joints"] = _agreement(recogniser, ticks, truth, before, weights, seed, done)
    return result


def passes() -> int:
    """How often `faithfulness` shows all clips, up to the number of joints."""
    return (len(JOINTS_HIDDEN) + len(TICKS_CUT)) * (len(KINDS) - 1 + RANDOM_DRAWS)


def _agreement(
    recogniser: Recogniser,
    ticks: Sequence[np.ndarray],
    truth: Sequence[int],
    before: np.ndarray,
    weights: Sequence[np.ndarray],
    seed: int,
    done: Callable[[int], None],
) -> dict:
    """Spearman's correlation, within each clip, of a joint's weight with the fall of the score when it alone is hidden."""
    lost = []
    for joint in range(len(recogniser.spec.layout.joints)):
        after = watch(recogniser, [without_joints(each, np.array([joint])) for each in ticks], truth)
        lost.append(before - [each.score for each in after])
        done(1)
    ranks = [np.array(rows).argsort(-1).argsort(-1) for rows in (weights, np.array(lost).T)]
    values = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(*ranks)])
    low, high = bootstrap(values, seed)
    return {"mean": metrics.rounded(values.mean()), "low": metrics.rounded(low), "high": metrics.rounded(high)}


def _row(lost: dict[str, np.ndarray], seed: int) -> dict:
    rows = {**lost, "named_minus_random": lost["named"] - lost["random"]}
    table = {}
    for kind, values in rows.items():
        low, high = bootstrap(values, seed)
        table[kind] = {"points": metrics.rounded(values.mean()), "low": metrics.rounded(low), "high": metrics.rounded(high)}
    return table


def class_maps(seen: Sequence[Watched], truth: Sequence[int], classes: Sequence[str]) -> dict[str, list[float]]:
    """Mean joint weights (V,) of each class that is shown."""
    truth = np.asarray(truth)
    return {
        name: [metrics.rounded(weight) for weight in np.mean([seen[i].joints() for i in np.flatnonzero(truth == k)], 0)]
        for k, name in enumerate(classes)
        if (truth == k).any()
    }
