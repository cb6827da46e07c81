"""How steady ids are: python -m benchmarks.tracking [VIDEO...] [--json FILE]

On simulated crowds, where it is known who is who: how often somebody's id becomes another's (a switch) or a new one (a
fragment). On videos, where it is not: tracks that begin within 2 s where another ended (as `evaluate bag` counts them), ids,
and jumps, which are two successive places of an id too far apart for one person.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.crowd import CrowdConfig, crowd
from pose_attention_ros.bags.identities import IdSwitches
from pose_attention_ros.cameras import open_source
from pose_attention_ros.core.graph_stage import GraphStage
from pose_attention_ros.core.types import SkeletonGraphs
from pose_attention_ros.inference.pose import PoseConfig, create_pose_estimator

PEOPLE = (2, 4, 6, 10, 20)
_JUMP, _JUMP_A_SECOND = 0.35, 1.2  # sizes of the person


def main(argv: list[str] | None = None) -> int:
    """Print the table; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("videos", nargs="*", metavar="VIDEO")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="crowds of each kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    rows: dict[str, dict[str, int]] = {}
    for people in PEOPLE:
        rows[f"{people} people"] = dict(zip(("switches", "fragments", "sightings"), of_crowds(people, args.seeds)))
    for video in args.videos:
        rows[Path(video).name] = of_video(video)
    for name, row in rows.items():
        print(f"{name:36s}" + "".join(f"{what} {value:<8d}" for what, value in row.items()))
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def of_crowds(people: int, seeds: int) -> tuple[int, int, int]:
    """`of_crowd`, summed over crowds of 10 s at 10 and at 30 images a second."""
    crowds = [of_crowd(CrowdConfig(people, fps=fps, seed=seed)) for seed in range(seeds) for fps in (10, 30)]
    return tuple(np.array(crowds).sum(0).tolist())


def of_crowd(config: CrowdConfig) -> tuple[int, int, int]:
    """Switches, fragments, and how often anybody was seen with an id."""
    stage, id_of, owner = GraphStage(), {}, {}
    switches = fragments = sightings = 0
    for skeletons, who in crowd(config):
        graphs = stage(skeletons)
        person_at = {box.tobytes(): person for box, person in zip(skeletons.boxes_xyxy, who.tolist())}
        for track_id, box in zip(graphs.track_ids.tolist(), graphs.boxes_xyxy):
            person = person_at[box.tobytes()]
            sightings += 1
            if id_of.get(person, track_id) != track_id:
                taken = owner.get(track_id, person) != person
                switches, fragments = switches + taken, fragments + (not taken)
            id_of[person], owner[track_id] = track_id, person
    return switches, fragments, sightings


def of_video(path: str) -> dict[str, int]:
    """See the module."""
    camera, estimator, stage = open_source(path), create_pose_estimator(PoseConfig()), GraphStage()
    fragments, last, jumps, sightings = IdSwitches(), {}, 0, 0
    try:
        while (frame := camera.read()) is not None:
            graphs: SkeletonGraphs = stage(estimator(frame))
            boxes = dict(zip(graphs.track_ids.tolist(), graphs.boxes_xyxy))
            fragments.add(graphs.stamp_ns, boxes)
            sightings += len(boxes)
            for track_id, box in boxes.items():
                before_ns, before = last.get(track_id, (graphs.stamp_ns, box))
                way = float(np.hypot(*((box[:2] + box[2:] - before[:2] - before[2:]) / 2)))
                farthest = _JUMP + _JUMP_A_SECOND * (graphs.stamp_ns - before_ns) * 1e-9
                jumps += way > farthest * max(*(before[2:] - before[:2]), 1)
                last[track_id] = graphs.stamp_ns, box
    finally:
        camera.close()
        estimator.close()
    return {"ids": len(last), "fragments": fragments.count, "jumps": jumps, "sightings": sightings}


if __name__ == "__main__":
    sys.exit(main())
