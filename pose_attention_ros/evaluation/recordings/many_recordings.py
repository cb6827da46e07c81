"""Many recordings: the same unit of work in processes of this machine or on a Ray cluster, and one result of all."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pose_attention_ros.core.errors import UserError
from pose_attention_ros.evaluation.recordings.durations import Durations
from pose_attention_ros.evaluation.recordings.recorded_run import RecordingTask, evaluate_recording
from pose_attention_ros.evaluation.report.thresholds import Check, check
from pose_attention_ros.evaluation.stream_metrics import UNLABELLED, Timeline


@dataclass(frozen=True)
class Job:
    """One recording of many: its name in the result, what to do, and its limits."""

    name: str
    task: RecordingTask
    thresholds: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a job; `error` is empty where it succeeded."""

    name: str
    error: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    html: str = ""
    lines: tuple[Timeline, ...] = ()
    durations: dict[str, Durations] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


def work(job: Job) -> Outcome:
    """The unit of work: never raises, so that one recording does not spoil the rest."""
    from pose_attention_ros.evaluation.report.page import bag_report

    try:
        result = evaluate_recording(job.task)
        result.values["bag"] = job.name
        checks = check(job.thresholds, result.values)
        result.values["limits_missed"] = [str(each) for each in checks if not each.passed]
        html = bag_report(result.values, result.pictures, result.values["model"]["classes"], checks)
    except UserError as error:
        return Outcome(job.name, str(error))
    except Exception as error:  # a defect of ours: the others are evaluated all the same
        return Outcome(job.name, f"internal error: {type(error).__name__}: {error}")
    judged = tuple(line for line in result.assessment.lines.values() if (line.truth != UNLABELLED).any())
    return Outcome(job.name, "", result.values, html, judged, result.durations, tuple(checks))


def in_processes(jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Outcomes as they come. A process that dies (out of memory, a crash in a library) costs its own bag alone."""
    waiting: queue.Queue[Job] = queue.Queue()
    for job in jobs:
        waiting.put(job)
    finished: queue.Queue[Outcome] = queue.Queue()
    drivers = [
        threading.Thread(target=_drive, args=(waiting, finished), daemon=True)
        for _ in range(max(1, min(processes, len(jobs))))
    ]
    for driver in drivers:
        driver.start()
    for _ in jobs:
        yield finished.get()


def _drive(waiting: queue.Queue, finished: queue.Queue) -> None:
    """One worker process after another, until nothing waits."""
    worker = _Worker()
    try:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            outcome = worker.run(job)
            if outcome is None:
                outcome = Outcome(job.name, f"the process that evaluated it died ({worker.why()})")
                worker = _Worker()
            finished.put(outcome)
    finally:
        worker.stop()


class _Worker:
    """A process that works on one job after another."""

    def __init__(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, job: Job) -> Outcome | None:
        """None where the process died over it."""
        try:
            self._connection.send(job)
            return self._connection.recv()
        except (EOFError, OSError):
            return None

    def why(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        return f"signal {-code}, out of memory?" if code is not None and code < 0 else f"exit code {code}"

    def stop(self) -> None:
        self._connection.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.terminate()


def _serve(connection: Any) -> None:
    logging.getLogger("pose_attention_ros").setLevel(logging.ERROR)  # what is left out is told in the result
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(work(job))


def on_ray(jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    """Outcomes as they come from a Ray cluster.

    :param address: of the cluster (ray://..., host:port, auto), or "local" to start one here; the bags, labels and models
        must lie at the same paths on its machines
    :raises UserError: Ray is not installed, or the cluster cannot be reached
    """
    try:
        import ray
    except ImportError:
        raise UserError("--ray needs Ray, which is not installed: pip install 'pose_attention_ros[ray]'") from None
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level="error",
            **({"include_dashboard": False} if address == "local" else {}),
        )
    except Exception as error:  # ray has many kinds
        raise UserError(f"no Ray cluster at {address!r}: {' '.join(str(error).split())[:200]}") from None
    try:
        remote = ray.remote(num_cpus=1, max_retries=0)(work)
        names = {remote.remote(job): job.name for job in jobs}
        left = list(names)
        while left:
            ready, left = ray.wait(left)
            for reference in ready:
                try:
                    yield ray.get(reference)
                except Exception as error:  # the worker died
                    yield Outcome(names[reference], f"the process that evaluated it died ({type(error).__name__})")
    finally:
        ray.shutdown()


def gather(outcomes: Iterator[Outcome], names: Sequence[str], done: Callable[[Outcome], None]) -> list[Outcome]:
    """All outcomes in the order of `names`, whatever the order in which they came."""
    found = {}
    for outcome in outcomes:
        found[outcome.name] = outcome
        done(outcome)
    return [found[name] for name in names]
