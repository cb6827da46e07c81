"""Attention as pictures: what removal costs, and which joints each class looks at, on a drawn body."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pose_attention_ros.core.body.layouts import Layout
from pose_attention_ros.evaluation.attention import KINDS

# A drawn body seen from the front, arms a little raised; x right, y down. The person's left is on the right.
# fmt: off
_BODY = {
    "head": (0, -1.55), "nose": (0, -1.55), "left_eye": (0.08, -1.65), "left_ear": (0.17, -1.6), "neck": (0, -1.1),
    "belly": (0, -0.5), "spine": (0, -0.5), "hip_center": (0, 0), "left_shoulder": (0.34, -1.0), "left_elbow": (0.72, -0.62),
    "left_wrist": (0.98, -0.98), "left_hand": (1.05, -1.1), "left_hip": (0.2, 0.0), "left_knee": (0.3, 0.82),
    "left_ankle": (0.34, 1.6), "left_foot": (0.45, 1.68),
}
# fmt: on
_COLOURS = {"named": "C3", "random": "0.4", "least": "C0"}


def _place(joint: str) -> tuple[float, float]:
    if joint.startswith("right_"):
        x, y = _BODY["left_" + joint.removeprefix("right_")]
        return -x, y
    return _BODY[joint]


def draw_maps(maps: Mapping[str, list[float]], layout: Layout, path: Path, columns: int = 5) -> None:
    """One drawn body a class; a joint's disc and colour show its mean weight, relative to the class's highest."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = np.array([_place(joint) for joint in layout.joints])
    rows = -(-len(maps) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(1.75 * columns, 2.35 * rows), layout="constrained", squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (name, weights) in zip(axes.flat, maps.items()):
        for a, b in layout.limb_indices:
            axis.plot(*points[[a, b]].T, color="0.75", lw=3, zorder=1, solid_capstyle="round")
        share = np.array(weights)
        axis.scatter(
            *points.T,
            s=15 + 330 * share / share.max(),
            c=share / share.max(),
            cmap="YlOrRd",
            vmin=0,
            vmax=1,
            edgecolors="0.3",
            linewidths=0.6,
            zorder=2,
        )
        axis.set(xlim=(-1.35, 1.35), ylim=(1.95, -1.95), aspect="equal")
        axis.set_title(name, fontsize=9)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def draw_falls(result: Mapping[str, dict], path: Path) -> None:
    """Fall of the score against how much is taken away: `attention.faithfulness` as two diagrams with 95 % intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axes, (what, title, unit) in zip(
        panels, (("joints", "joints hidden", 1), ("moments", "share of the ticks cut out, %", 100))
    ):
        at = [unit * float(key) for key in result[what]]
        for kind in KINDS:
            rows = [row[kind] for row in result[what].values()]
            axes.plot(at, [row["points"] for row in rows], marker="o", ms=3, color=_COLOURS[kind], label=kind)
            axes.fill_between(
                at, [row["low"] for row in rows], [row["high"] for row in rows], color=_COLOURS[kind], alpha=0.15
            )
        axes.set(xlabel=title, ylabel="score lost, points")
        axes.grid(alpha=0.3)
    panels[0].legend()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
