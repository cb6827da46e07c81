"""Evaluates one recording: the unit of work of `evaluate bag` and `evaluate video`, and of each of many, here or on another
machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pose_attention_ros.core.action_stage import ActionConfig
from pose_attention_ros.core.graph_stage import GraphConfig
from pose_attention_ros.core.types import Frame
from pose_attention_ros.evaluation.recordings.assessor import Assessment, Assessor
from pose_attention_ros.evaluation.recordings.durations import Durations, LiveClock
from pose_attention_ros.evaluation.recordings.recognition import Answers, make_answers
from pose_attention_ros.evaluation.recordings.recorded import Recorded, open_recorded
from pose_attention_ros.evaluation.report.thumbnails import Picture
from pose_attention_ros.inference.pose import PoseConfig
from pose_attention_ros.inference.recogniser import DEFAULT_MODEL

Progress = Callable[[int, int], None]  # messages read, of how many
_PLAUSIBLE_AGE_S = 60.0  # beyond it stamps are of another clock


@dataclass(frozen=True)
class RecordingTask:
    """What to evaluate and how; plain values, so that it can travel to another process or machine.

    :param video: whether `path` is a video; else it is a bag
    :param kind: a key of bags.streams.KINDS, or auto; :param topic: empty for the only one of its kind
    :param labels: CSV file, :param labels_topic: topic; both empty: nothing is judged, the rest is told
    :param pictures: whether to draw the moments of the report
    :param two_processes: whether a long bag of skeletons may take two cores
    """

    path: str
    video: bool = False
    labels: str = ""
    labels_topic: str = ""
    model: str = DEFAULT_MODEL
    kind: str = "auto"
    topic: str = ""
    label_map: dict[str, str | None] | None = None
    rest_is_unknown: bool = False
    max_frames: int = 0
    pictures: bool = True
    two_processes: bool = False
    pose: PoseConfig = field(default_factory=PoseConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    action: ActionConfig = field(default_factory=ActionConfig)


@dataclass(frozen=True, eq=False)
class RecordingResult:
    """values: what the JSON file holds, all that differs between two runs under "timings"; durations: of each stage."""

    values: dict[str, Any]
    assessment: Assessment
    pictures: list[Picture]
    durations: dict[str, Durations]


def evaluate_recording(task: RecordingTask, progress: Progress = lambda done, total: None) -> RecordingResult:
    """Run the stages over a recording and judge what they say. Raises UserError for what cannot be evaluated at all."""
    began = time.perf_counter()
    with open_recorded(task.path, task.video, task.kind, task.topic) as recorded:
        chosen = recorded.chosen
        labels = recorded.labels(task.labels, task.labels_topic)
        answers = make_answers(recorded.bag, chosen, task.model, task.pose, task.graph, task.action, task.two_processes)
        assessor = Assessor(answers.classes, labels, task.label_map, task.rest_is_unknown, recorded.left_out)
        clocks = _Clocks(answers.stages)
        try:
            _run(recorded, task, answers, assessor, clocks, progress)
        finally:
            answers.close()
        assessment = assessor.finish()
        dropped = recorded.dropped()
        pictures = recorded.pictures(assessment.moments) if task.pictures else []
        values = {
            "bag": Path(task.path).name,
            "input": {"kind": chosen.kind, "topic": chosen.topic, "type": chosen.msgtype, "messages": chosen.count},
            "model": answers.about,
            **assessment.values,
            "recorded": {"age_ms": clocks.recorded.summary_ms(), "dropped": dropped},
            "left_out": dict(recorded.left_out.reasons),
            "timings": clocks.summary(assessment.values["stream"]["seconds"], time.perf_counter() - began, answers.machine),
        }
    return RecordingResult(values, assessment, pictures, {**clocks.stages, "all_stages": clocks.frame})


class _Clocks:
    """Where the time went."""

    def __init__(self, stages: tuple[str, ...]) -> None:
        self.stages = {name: Durations() for name in stages}
        self.waiting, self.judging, self.frame = Durations(), Durations(), Durations()
        self.live = LiveClock()
        self.recorded = Durations()  # from capture to recording, where the stamps are of the recorder's clock
        self.loop_s = self.cpu_s = 0.0

    def summary(self, stream_s: float, wall_s: float, machine: dict[str, str]) -> dict[str, Any]:
        self.live.finish()
        # What runs in another process takes no time of this loop.
        worked_s = 0 if "processes" in machine else sum(stage.total_s for stage in self.stages.values())
        frames = len(self.frame)
        return {
            "stages_ms": {
                **{name: stage.summary_ms() for name, stage in self.stages.items()},
                "all_stages": self.frame.summary_ms(),
            },
            "reading_ms": self.waiting.summary_ms(),
            "judging_ms": self.judging.summary_ms(),
            "wall_s": round(wall_s, 3),
            "loop_s": round(self.loop_s, 3),
            "cpu_s": round(self.cpu_s, 3),  # of the loop, all threads: what it takes on a machine that does nothing else
            "times_real_time": round(stream_s / self.loop_s, 2) if self.loop_s else None,
            "frames_per_second": round(frames / self.loop_s, 2) if self.loop_s else None,
            "overhead_share": round(1 - worked_s / self.loop_s, 4) if self.loop_s and worked_s else None,
            "live_on_this_machine": {
                "dropped_frames": self.live.dropped,
                "dropped_share": round(self.live.dropped / frames, 4) if frames else None,
                "age_ms": self.live.ages.summary_ms(),
            },
            **machine,
        }


def _run(
    recorded: Recorded, task: RecordingTask, answers: Answers, assessor: Assessor, clocks: _Clocks, progress: Progress
) -> None:
    done = 0
    begin = before = None
    for recorded_ns, item in answers.items or recorded.items():
        if isinstance(item, Frame) and not done:
            answers.warm_up(item)
            before = None
        read = time.perf_counter()
        if begin is None:
            begin, clocks.cpu_s = read, time.process_time()
        if before is not None:
            clocks.waiting.add(read - before)
        actions, graphs, seconds = answers(item)
        worked = time.perf_counter()
        assessor.add(actions, graphs, recorded_ns)
        cost_s = sum(seconds)
        for stage, each in zip(clocks.stages.values(), seconds):
            stage.add(each)
        clocks.frame.add(cost_s)
        age_s = (recorded_ns - actions.stamp_ns) * 1e-9
        if recorded.has_clock and 0 <= age_s <= _PLAUSIBLE_AGE_S:
            clocks.recorded.add(age_s)
        clocks.live.add(actions.stamp_ns * 1e-9, cost_s)
        done += 1
        progress(done, recorded.chosen.count)
        before = time.perf_counter()
        clocks.judging.add(before - worked)
        if task.max_frames and done == task.max_frames:
            break
    clocks.loop_s = (before or 0) - (begin or 0)
    clocks.cpu_s = time.process_time() - clocks.cpu_s
