"""Labelled streams as pictures: what was shown above what was said, and how soon it was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pose_attention_ros.evaluation.stream_metrics import UNLABELLED, Timeline, segments


def draw_timelines(
    timelines: Sequence[Timeline], classes: Sequence[str], path: Path, *, most: int = 5, longest_s: float = 60.0
) -> None:
    """The first `longest_s` seconds of `most` streams: truth above label, one colour a class, nothing for none."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = timelines[:most]
    colours = pyplot.get_cmap("tab20")
    figure, axes = pyplot.subplots(figsize=(11, 1.0 + 0.75 * len(shown)), layout="constrained")
    used = set()
    for row, line in enumerate(shown):
        seconds = np.append(line.stamps_ns * 1e-9, line.stamps_ns[-1] * 1e-9)
        for labels, height in ((line.truth, 0.0), (line.predicted, 0.38)):
            for label, first, end in segments(labels):
                span_s = (seconds[first], min(seconds[end], longest_s) - seconds[first])
                if label >= 0 and span_s[1] > 0:
                    used.add(label)
                    axes.broken_barh([span_s], (row + height, 0.34), facecolors=colours(label % 20))
                elif label == UNLABELLED and span_s[1] > 0:
                    axes.broken_barh([span_s], (row + height, 0.34), facecolors="none", edgecolors="0.8", hatch="////", lw=0)
    axes.set(xlim=(0, longest_s), ylim=(len(shown), -0.1), xlabel="seconds; above what is shown, below the label")
    axes.set_yticks(np.arange(len(shown)) + 0.36, [f"stream {row + 1}" for row in range(len(shown))])
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colours(label % 20)) for label in sorted(used)]
    axes.legend(
        handles,
        [classes[label] for label in sorted(used)],
        ncols=1,
        fontsize=7,
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
    )
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def draw_curves(by_fps: Mapping[str, dict], delays_s: Mapping[float, np.ndarray], path: Path) -> None:
    """Left: actions recognised against the share of them that has been seen, published label and best score. Right: share of
    the actions that have their label after so many seconds.

    :param by_fps: frame rate -> stream_metrics.summarise; :param delays_s: frame rate -> stream_metrics.seconds_to_label
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for k, (fps, summary) in enumerate(by_fps.items()):
        for kind, style in (("best_score", "--"), ("label", "-")):
            early = summary["early_recognition"][kind]
            left.plot(
                [100 * float(share) for share in early],
                [100 * (value or 0) for value in early.values()],
                style,
                color=f"C{k}",
                label=f"{fps} fps" if style == "-" else None,
            )
    left.set(xlabel="seen of the action, %", ylabel="right, %", ylim=(0, 101), title="label (line), best score (dashed)")
    left.legend(fontsize=8)
    for k, (fps, delays) in enumerate(delays_s.items()):
        found = np.sort(delays[~np.isnan(delays)])
        right.step(
            found,
            100 * np.arange(1, len(found) + 1) / max(len(delays), 1),
            where="post",
            color=f"C{k}",
            label=f"{fps:g} fps",
        )
    right.set(xlabel="seconds since the action began", ylabel="has its label, %", xlim=(0, 5), ylim=(0, 101))
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
