"""Tables of `pose_borders`: rows of joints in, numbers by kind of joint and distance out. All lengths are torso lengths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.pose_shots import KIND_OF, KINDS, SMALL
from pose_attention_ros.core.graph_stage import GraphConfig

THERE = GraphConfig().min_joint_score
OUTSIDE = {"0 to 0.25": (0, 0.25), "0.25 to 0.75": (0.25, 0.75), "over 0.75": (0.75, np.inf)}
FINE = {
    "0 to 0.1": (0, 0.1),
    "0.1 to 0.25": (0.1, 0.25),
    "0.25 to 0.5": (0.25, 0.5),
    "0.5 to 0.75": (0.5, 0.75),
    "0.75 to 1": (0.75, 1),
    "over 1": (1, np.inf),
}
INSIDE = {
    "under 0.1": (0, 0.1),
    "0.1 to 0.25": (0.1, 0.25),
    "0.25 to 0.5": (0.25, 0.5),
    "0.5 to 1": (0.5, 1),
    "over 1": (1, np.inf),
}
SHARES = {
    "none": (-1, 0.01),
    "under 0.25": (0.01, 0.25),
    "0.25 to 0.5": (0.25, 0.5),
    "0.5 to 0.75": (0.5, 0.75),
    "over 0.75": (0.75, 2),
}
SCORES = {
    "under 0.2": (0, 0.2),
    "0.2 to 0.3": (0.2, 0.3),
    "0.3 to 0.5": (0.3, 0.5),
    "0.5 to 0.7": (0.5, 0.7),
    "over 0.7": (0.7, 2),
}
_TO_DEVIATION = 1 / 0.6745
_FEWEST = 5

Columns = dict[str, np.ndarray]


def tables(records: dict[str, Columns]) -> dict:
    """Everything; a part without rows is left out."""
    makers = {
        "seen": _seen,
        "cut": _cut,
        "tremble": _tremble,
        "cover": _cover,
        "shrink": _shrink,
        "lying": _lying,
        "labelled": _labelled,
    }
    return {name: makers[name](rows) for name, rows in records.items() if rows}


def readable(result: dict, depth: int = 0) -> str:
    """Indented text; a row of numbers on a line of its own."""
    lines = []
    for name, value in result.items():
        indent = "  " * depth
        if isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values()):
            lines += [f"{indent}{name}:", readable(value, depth + 1)]
        elif isinstance(value, dict):
            lines.append(f"{indent}{name:<26}" + "  ".join(f"{key} {inner}" for key, inner in value.items()))
        else:
            lines.append(f"{indent}{name} {value}")
    return "\n".join(lines)


def _seen(rows: Columns) -> dict:
    return {
        str(view): {
            "frames": int(at.sum()),
            "shots": len(np.unique(rows["shot"][at])),
            "torso_px": _round(np.median(rows["input_torso_px"][at])),
            "body_outside": _mean(rows["share_out"][at]),
            "nobody_found": _mean(~rows["found"][at]),
            "found_elsewhere": _mean((rows["found"] & ~rows["right"])[at]),
            "one_more_person": _mean(rows["more"][at] > 0),
        }
        for view, at in _each(rows["view"])
    }


def _cut(rows: Columns) -> dict:
    out, seen = rows["outside"], rows["score"] >= THERE
    outside = ~rows["inside"] & (out > 0)
    ratio = rows["score"] / rows["full_score"]
    inward = rows["along"] * np.sign(rows["to_centre"])

    def of_outside(at: np.ndarray) -> dict:
        kept = at & seen
        return {
            "n": int(at.sum()),
            "there": _mean(seen[at]),
            "ratio": _mean(ratio[at]),
            **_spread("score", rows["score"][at]),
            **_spread("inset", rows["inset"][kept]),
            **_spread("along", inward[kept]),
        }

    def of_inside(at: np.ndarray) -> dict:
        return {
            "n": int(at.sum()),
            "there": _mean(seen[at]),
            "score": _mean(rows["score"][at]),
            "ratio": _round(np.median(ratio[at])),
            "ratio_sd": _round(np.std(ratio[at])),
            **_error(rows, at & seen),
        }

    kinds = {kind: (rows["kind"] == k) for k, kind in enumerate(KINDS)} | {"all": np.ones(len(out), bool)}
    shared = rows["share_out"]
    landing = {kind: outside & seen & at for kind, at in kinds.items() if (outside & seen & at).sum() >= _FEWEST}
    return {
        "outside": {kind: _binned(out, OUTSIDE, outside & at, of_outside) for kind, at in kinds.items()},
        "outside_by_side": {
            str(side): _binned(out, OUTSIDE, outside & at, of_outside) for side, at in _each(rows["side"]) if side
        },
        "outside_fine": {
            kind: _binned(
                out,
                FINE,
                outside & at,
                lambda part: {"n": int(part.sum()), "there": _mean(seen[part]), "ratio": _mean(ratio[part])},
            )
            for kind, at in kinds.items()
        },
        "lands_on": {
            kind: {other: _mean(KIND_OF[rows["onto"][at]] == k) for k, other in enumerate(KINDS)}
            for kind, at in landing.items()
        },
        "inside": {kind: _binned(-out, INSIDE, rows["inside"] & at, of_inside) for kind, at in kinds.items()},
        "inside_by_share_outside": {
            kind: _binned(shared, SHARES, rows["inside"] & at, of_inside) for kind, at in kinds.items()
        },
        "inside_by_both": {
            name: _binned(-out, INSIDE, rows["inside"] & (shared > low) & (shared <= high), of_inside)
            for name, (low, high) in SHARES.items()
        },
        "error_by_score": _binned(
            rows["score"], SCORES, rows["inside"] & ~(-out < 0.25), lambda at: {"n": int(at.sum()), **_error(rows, at)}
        ),
    }


def _tremble(rows: Columns) -> dict:
    second, own = np.abs([rows["x"], rows["y"]]), np.abs([rows["own_x"], rows["own_y"]])
    calm = (rows["moved"] <= np.quantile(rows["moved"], 0.6)) & (rows["score"] >= THERE)

    def of(at: np.ndarray) -> dict:
        return {
            "n": int(at.sum()),
            "tremble": _round(np.median(second[:, at]) * _TO_DEVIATION / 6**0.5),
            "of_the_truth": _round(np.median(own[:, at]) * _TO_DEVIATION / 6**0.5),
            "tremble_90": _round(np.quantile(second[:, at], 0.9) / 1.645 / 6**0.5),
            "score_step_sd": _round(rows["step"][at].std()),
        }

    where = {"inside": ~(rows["outside"] > 0)} | {
        f"outside, {name}": (rows["outside"] > low) & (rows["outside"] <= high) for name, (low, high) in OUTSIDE.items()
    }
    return {place: _by_kind(rows, at & calm, of) for place, at in where.items()}


def _cover(rows: Columns) -> dict:
    def of(at: np.ndarray) -> dict:
        kept = at & (rows["score"] >= THERE)
        return {
            "n": int(at.sum()),
            "there": _mean(rows["score"][at] >= THERE),
            "ratio": _mean(rows["score"][at] / rows["full_score"][at]),
            **_spread("score", rows["score"][at]),
            **_coordinates(rows, kept),
            **_spread("above_edge", rows["above"][kept]),
        }

    hidden = rows["right"] & rows["hidden"]
    return {
        "person_right": {f"{share:.0%} hidden": _mean(rows["right"][at]) for share, at in _each(rows["share"])},
        "hidden": _by_kind(rows, hidden, of),
        "visible": _by_kind(rows, rows["right"] & ~rows["hidden"], of),
        "hidden_by_depth": _binned(rows["depth"], OUTSIDE, hidden, of),
        "hidden_by_pattern": {("woven" if woven else "plain"): of(hidden & at) for woven, at in _each(rows["textured"])},
    }


def _shrink(rows: Columns) -> dict:
    def of(at: np.ndarray) -> dict:
        fast, slow = np.stack([rows["fast_x"][at], rows["fast_y"][at]]), np.stack([rows["x"][at], rows["y"][at]])
        return {
            "n": int(at.sum()),
            "slow": _round(np.median(np.abs(slow)) * _TO_DEVIATION),
            "slow_sd": _round(slow.std()),
            "fast": _round(np.median(np.abs(fast)) * _TO_DEVIATION / 6**0.5),
            "fast_sd": _round(fast.std() / 6**0.5),
            "bias_y": _round(np.median(slow[1])),
            "score": _mean(rows["score"][at]),
            "ratio": _mean(rows["score"][at] / rows["full_score"][at]),
            "there": _mean(rows["score"][at] >= THERE),
        }

    sizes = {size: rows["size"] == size for size in SMALL}
    return {
        f"{size} px": {"person": {"shots": len(np.unique(rows["shot"][at])), "found": _mean(rows["found"][at])}}
        | _by_kind(rows, at & rows["found"], of)
        for size, at in sizes.items()
        if at.any()
    }


def _lying(rows: Columns) -> dict:
    falling = rows["label"] == "fall"
    postures = {
        "upright, not falling": ~rows["lying"] & ~falling,
        "falling, trunk steep": ~rows["lying"] & falling,
        "trunk flat": rows["lying"],
    }

    def of(at: np.ndarray) -> dict:
        return {
            "n": int(at.sum()),
            "there": _mean(rows["score"][at] >= THERE),
            **_spread("score", rows["score"][at]),
            "swapped": _mean(rows["swapped"][at & rows["judged"]]),
        }

    frames = ~rows["found"] | (rows["kind"] == 0)  # one row of each
    return {
        "nobody_found": {str(label): _mean(~rows["found"][at & frames]) for label, at in _each(rows["label"])},
        **{name: _by_kind(rows, at & rows["found"], of) for name, at in postures.items()},
    }


def _labelled(rows: Columns) -> dict:
    def of(at: np.ndarray) -> dict:
        return {
            "n": int(at.sum()),
            "there": _mean(rows["score"][at] >= THERE),
            **_spread("score", rows["score"][at]),
            **_coordinates(rows, at & (rows["score"] >= THERE)),
        }

    error, told = np.hypot(rows["dx"], rows["dy"]), rows["tells_hidden"]
    kinds = {kind: rows["kind"] == k for k, kind in enumerate(KINDS)} | {"all": np.ones(len(error), bool)}
    return {
        "by_score": {
            kind: _binned(
                rows["score"], SCORES, at & ~rows["hidden"], lambda part: {"n": int(part.sum()), **_coordinates(rows, part)}
            )
            for kind, at in kinds.items()
        },
        "hidden": _by_kind(rows, told & rows["hidden"], of),
        "visible": _by_kind(rows, told & ~rows["hidden"], of),
        "rank_correlation_of_score_and_error": _round(np.corrcoef(_rank(rows["score"]), _rank(error))[0, 1]),
    }


def _by_kind(rows: Columns, at: np.ndarray, of) -> dict:
    parts = {kind: at & (rows["kind"] == k) for k, kind in enumerate(KINDS)} | {"all": at}
    return {kind: of(part) for kind, part in parts.items() if part.sum() >= _FEWEST}


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def _error(rows: Columns, at: np.ndarray) -> dict:
    if at.sum() < _FEWEST:
        return {}
    error = rows["error"][at]
    return {
        "error_50": _round(np.median(error)),
        "error_90": _round(np.quantile(error, 0.9)),
        "sd_coordinate": _round(np.median(np.abs(np.stack([rows["normal"][at], rows["along"][at]]))) * _TO_DEVIATION),
        "outwards": _round(np.median(rows["normal"][at])),
        "over_half": _round((error > 0.5).mean()),
    }


def _coordinates(rows: Columns, at: np.ndarray) -> dict:
    if at.sum() < _FEWEST:
        return {}
    both = np.abs(np.stack([rows["dx"][at], rows["dy"][at]]))
    error = np.hypot(rows["dx"][at], rows["dy"][at])
    return {
        "sd_coordinate": _round(np.median(both) * _TO_DEVIATION),
        "error_50": _round(np.median(error)),
        "error_90": _round(np.quantile(error, 0.9)),
        "bias_x": _round(np.median(rows["dx"][at])),
        "bias_y": _round(np.median(rows["dy"][at])),
        "over_half": _round((error > 0.5).mean()),
    }


def _spread(name: str, values: np.ndarray) -> dict:
    if len(values) < _FEWEST:
        return {}
    q10, q25, q50, q75, q90 = (_round(q) for q in np.quantile(values, (0.1, 0.25, 0.5, 0.75, 0.9)))
    return {
        f"{name}_mean": _round(values.mean()),
        f"{name}_sd": _round(values.std()),
        f"{name}_q10_25_50_75_90": [q10, q25, q50, q75, q90],
    }


def _binned(values: np.ndarray, bins: dict, at: np.ndarray, of) -> dict:
    parts = {name: at & (values > low) & (values <= high) for name, (low, high) in bins.items()}
    return {name: of(part) for name, part in parts.items() if part.sum() >= _FEWEST}


def _each(column: np.ndarray) -> Iterator[tuple[object, np.ndarray]]:
    for value in np.unique(column):
        yield value, column == value


def _mean(values: np.ndarray) -> float | None:
    return _round(np.mean(values)) if len(values) else None


def _round(value: float) -> float:
    return round(float(value), 3)
