"""Evaluation results as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def draw_confusion(table: np.ndarray, classes: list[str], path: Path) -> None:
    """Confusion table (K, K), row = truth, as shares of the row; classes without clips are left out of the rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = np.flatnonzero(table.sum(1))
    columns = np.flatnonzero(table.sum(0) + table.sum(1))
    shares = table[np.ix_(rows, columns)] / table[rows].sum(1, keepdims=True)
    figure, axes = pyplot.subplots(figsize=(2.5 + 0.38 * len(columns), 2 + 0.34 * len(rows)), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for y, x in np.argwhere(shares >= 0.005):
        axes.text(
            x,
            y,
            f"{100 * shares[y, x]:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if shares[y, x] > 0.5 else "black",
        )
    axes.set_xticks(range(len(columns)), [classes[k] for k in columns], rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), [f"{classes[k]} ({table[k].sum()})" for k in rows])
    axes.set(xlabel="recognised", ylabel="shown (clips)", title="per cent of the shown class")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def draw_early(early: Mapping[str, float], path: Path) -> None:
    """Accuracy against the observed fraction of a clip."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.5, 3.2), layout="constrained")
    axes.plot([100 * float(fraction) for fraction in early], [100 * value for value in early.values()], marker="o")
    axes.set(xlabel="observed, % of the clip", ylabel="accuracy, %", ylim=(0, 101))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def draw_reliability(bins: list[dict], error: float, path: Path) -> None:
    """Share of right answers against confidence; the dots' areas are the clips. `bins` as clips.reliability gives them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(3.6, 3.4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", lw=1)
    most = max(row["clips"] for row in bins)
    axes.plot([row["confidence"] for row in bins], [row["accuracy"] for row in bins], color="C0", lw=1)
    axes.scatter(
        [row["confidence"] for row in bins],
        [row["accuracy"] for row in bins],
        s=[8 + 120 * row["clips"] / most for row in bins],
    )
    axes.set(
        xlim=(0, 1.02),
        ylim=(0, 1.02),
        xlabel="confidence",
        ylabel="share of right answers",
        title=f"expected calibration error {error:.3f}",
    )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
