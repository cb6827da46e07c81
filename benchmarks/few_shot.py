"""Actions taught by showing, measured as few-shot learning is: episodes of a few ways and shots.

    python -m benchmarks.few_shot --model M --data out/data/utd_mhad.npz --others out/data/penn.npz

In each episode five classes are taught from 1, 3 or 5 takes; other people show them, and motion of no class is among the
queries. The classes must be unknown to the model: train it, and make its teaching space, without the data set. `--data` is a
skeleton data set file with people as groups (`data import kinect SRC OUT.npz --views 2 --side-deg 45`). One person gives all
takes, or several.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pose_attention_ros.cli.options import add_json, write_json
from pose_attention_ros.core.actions.recogniser import Recogniser
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.teaching.actions import LENGTHS_S, TaughtActions, taught_action
from pose_attention_ros.core.teaching.space import TeachingSpace, pooled
from pose_attention_ros.data.dataset import SkeletonDataset
from pose_attention_ros.evaluation.clips import ShownClip, clip_ticks
from pose_attention_ros.inference.recogniser import find_model, load_recogniser
from pose_attention_ros.inference.teaching import read_space
from pose_attention_ros.training.teaching_space import embedded

UTD_CLASSES = (
    "draw_x,draw_circle_clockwise,draw_circle_counter_clockwise,draw_triangle,arm_curl,swipe_left,swipe_right,"
    "arm_cross,catch,lunge,bowling,basketball_shoot,knock"
)
PENN_HELD_OUT = "strum_guitar,bowl"
_CLIPS_AT_ONCE = 32
_TAKE_S = 2.0


def pools_of(recogniser: Recogniser, data: SkeletonDataset) -> np.ndarray:
    """(N, P): each clip as one take."""
    rows = np.argsort(np.diff(data.offsets))
    found: dict[int, np.ndarray] = {}
    for begin in range(0, len(rows), _CLIPS_AT_ONCE):
        chosen = rows[begin : begin + _CLIPS_AT_ONCE]
        ticks = clip_ticks([ShownClip.of(data[i], data.joints, recogniser.spec.layout) for i in chosen], recogniser.spec)
        longest = round(max(LENGTHS_S) * recogniser.spec.rate_hz)
        ticks = [clip[:longest] for clip in ticks]
        for i, clip, embeddings in zip(chosen, ticks, embedded(recogniser, ticks)):
            found[i] = pooled(embeddings, clip)
    return np.stack([found[i] for i in range(len(data))])


class Episodes:
    """What is drawn of one data set."""

    def __init__(
        self,
        places: np.ndarray,
        data: SkeletonDataset,
        classes: list[str],
        none: np.ndarray,
        known: np.ndarray,
        space: TeachingSpace,
    ) -> None:
        self.places, self.labels, self.group, self.classes = places, data.labels, data.group, classes
        self.none, self.known, self.space = none, known, space
        self.people = np.unique(data.group)

    def run(self, shots: int, ways: int, episodes: int, takers: int, seed: int) -> dict:
        """Accuracy among the taught classes, with the calibrated limits, and where 5 % of no-class clips are accepted."""
        rng, totals = np.random.default_rng([seed, shots, takers]), []
        right, margin = [], []
        no_class: dict[str, list] = {"other actions of the data set": [], "no class": [], "known classes": []}
        for _ in range(episodes):
            chosen = rng.choice(self.classes, ways, replace=False)
            teachers = rng.choice(self.people, takers, replace=False)
            theirs = np.isin(self.group, teachers)
            taught, queries, truth = TaughtActions(self.space), [], []
            for number, name in enumerate(chosen):
                rows = np.flatnonzero((self.labels == name) & theirs)
                takes = self.places[rng.choice(rows, min(shots, len(rows)), replace=False)]
                taught = taught.with_action(taught_action(str(name), takes, (_TAKE_S,) * len(takes), self.space))
                asked = rng.choice(np.flatnonzero((self.labels == name) & ~theirs), 3, replace=False)
                queries.extend(asked)
                truth += [number] * len(asked)
            likeness = taught.likeness(self.places[queries])
            over = likeness - taught.limits
            best = over.max(1)
            totals.append((likeness.argmax(1) == truth).mean())
            right.append(over.argmax(1) == truth)
            margin.append(best)
            others = np.flatnonzero(~np.isin(self.labels, chosen) & ~theirs)
            for name, pool in zip(no_class, (self.places[others], self.none, self.known)):
                if len(pool):
                    drawn = pool[rng.choice(len(pool), min(15, len(pool)), replace=False)]
                    no_class[name].append((taught.likeness(drawn) - taught.limits).max(1))
        right, margin = np.concatenate(right), np.concatenate(margin)
        answer = {
            "closed": float(np.mean(totals)),
            "calibrated": float((right & (margin >= 0)).mean()),
            "accepted": {},
            "at 5 %": {},
        }
        for name, each in no_class.items():
            if each:
                over = np.concatenate(each)
                answer["accepted"][name] = float((over >= 0).mean())
                answer["at 5 %"][name] = float((right & (margin >= np.quantile(over, 0.95))).mean())
        return answer


def part_of(data: SkeletonDataset, rows: np.ndarray) -> SkeletonDataset:
    """The clips `rows`, (N,) bool."""
    return SkeletonDataset.from_clips([data[i] for i in np.flatnonzero(rows)], data.joints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="model directory with teaching.npz")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument("--classes", default=UTD_CLASSES, help="labels to teach, separated by commas (default: UTD-MHAD's)")
    parser.add_argument("--others", type=Path, metavar="FILE.npz", help="a data set with clips of no class and of classes")
    parser.add_argument(
        "--none",
        default=PENN_HELD_OUT,
        metavar="LABELS",
        help="its labels of no class, which training "
        "never saw; its other test clips are of the model's classes (default: PennAction's, %(default)s)",
    )
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--episodes", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    add_json(parser)
    args = parser.parse_args()
    folder = find_model(args.model)
    recogniser = load_recogniser(args.model)
    space = read_space(folder, recogniser)
    data = SkeletonDataset.load(args.data)
    classes = [name for name in args.classes.split(",") if name in set(data.labels.tolist())]
    if len(classes) < args.ways:
        raise UserError(f"--classes names {len(classes)} labels of {args.data}, expected at least {args.ways}")
    pools = pools_of(recogniser, data)
    nothing = np.zeros((0, space.basis.shape[1]), np.float32)
    none, known = nothing, nothing
    if args.others:
        others = SkeletonDataset.load(args.others)
        free, test = np.isin(others.labels, args.none.split(",")), others.split == "test"
        none, known = (space.place(pools_of(recogniser, part_of(others, rows))) for rows in (free, test & ~free))
    result = {
        "model": recogniser.spec.model_id,
        "classes": classes,
        "episodes": args.episodes,
        "ways": args.ways,
        "rows": [],
    }
    people = len(np.unique(data.group))
    for takers in (1, max(people // 2, 1)):
        for shots in (1, 3, 5):
            row = Episodes(space.place(pools), data, classes, none, known, space).run(
                shots, args.ways, args.episodes, takers, args.seed
            )
            result["rows"].append({"takers": takers, "shots": shots, **row})
            print(
                f"takes of {takers}, {shots}-shot: {row['closed']:.1%} of the taught; calibrated {row['calibrated']:.1%}, "
                + "; ".join(
                    f"{name} accepted {share:.1%}, at 5 % {row['at 5 %'][name]:.1%}"
                    for name, share in row["accepted"].items()
                ),
                flush=True,
            )
    write_json(args.json, result)


if __name__ == "__main__":
    main()
