#!/usr/bin/env python3
"""Two `actions.jsonl` of the same frames, as two kinds of machine wrote them: compare_answers.py HERE THERE

Exit code 0 where every frame has the same people with the same labels and states; 1 where not. Needs only the standard
library.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def compare(here: list[dict[str, Any]], there: list[dict[str, Any]]) -> tuple[list[str], int, float]:
    """What differs, a line each; how many answers were compared; and how far confidences lie apart at most."""
    differences = [] if len(here) == len(there) else [f"{len(here)} frames here, {len(there)} there"]
    answers, apart = 0, 0.0
    for number, (one, other) in enumerate(zip(here, there)):
        people, others = ({person["track_id"]: person for person in frame["people"]} for frame in (one, other))
        if people.keys() != others.keys():
            differences.append(f"frame {number}: people {sorted(people)} here, {sorted(others)} there")
        for track_id in sorted(people.keys() & others.keys()):
            answers += 1
            first, second = people[track_id], others[track_id]
            apart = max(apart, abs(first["confidence"] - second["confidence"]))
            if (first["label"], first["state"]) != (second["label"], second["state"]):
                differences.append(f"frame {number}, person {track_id}: {first['label']} here, {second['label']} there")
    return differences, answers, apart


def main() -> int:
    """See the module."""
    files = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in sys.argv[1:3]]
    differences, answers, apart = compare(*files)
    print(
        f"{len(files[0])} frames, {answers} answers compared, {len(differences)} differences; "
        f"confidences lie {apart:.2g} apart at most"
    )
    print("\n".join(differences[:20]))
    return int(bool(differences) or not answers)


if __name__ == "__main__":
    sys.exit(main())
