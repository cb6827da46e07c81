"""Third stage of the pipeline: the graphs of successive images become action estimates, one recurrent state a person."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose_attention_ros.core.actions.evidence import Evidence, Memory, MemoryConfig, speeds
from pose_attention_ros.core.actions.labels import LabelConfig, LabelMachine
from pose_attention_ros.core.actions.pixels import PixelFeed
from pose_attention_ros.core.actions.recogniser import ModelSpec, Recogniser
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.core.teaching.actions import TaughtActions, joined
from pose_attention_ros.core.teaching.described import with_taught
from pose_attention_ros.core.teaching.lesson import Lesson
from pose_attention_ros.core.teaching.window import TaughtWindow
from pose_attention_ros.core.time.resampling import DueTicks, GapConfig, TickResampler, push_frame
from pose_attention_ros.core.types import ActionEstimate, ActionEstimates, Frame, SkeletonGraphs

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActionConfig(GapConfig, LabelConfig, MemoryConfig):
    """Settings of the action stage."""


class _Track:
    """What is kept of one person: constant in size however long they are seen."""

    def __init__(self, spec: ModelSpec, begin_ns: int) -> None:
        self.resampler = TickResampler(spec.rate_hz)
        self.labels = LabelMachine(begin_ns)
        self.memory = Memory(spec)
        self.window: TaughtWindow | None = None  # where there are taught actions
        self.estimate: ActionEstimate | None = None  # what the newest tick says, once it was asked for
        self.probabilities = np.full(len(spec.classes), 1 / len(spec.classes), np.float32)
        self.confidence = 1 / len(spec.classes)
        self.joint_attention = np.full(len(spec.layout.joints), 1 / len(spec.layout.joints), np.float32)


class _Row(NamedTuple):
    """One row of the recogniser's batch: whose evidence it is, their row in the graphs, their tick, and its stamp."""

    track: _Track
    person: int
    tick: int
    stamp_ns: int
    evidence: Evidence


class ActionStage:
    """Call it with the SkeletonGraphs of successive images, and with the images where the recogniser reads them."""

    def __init__(self, recogniser: Recogniser, config: ActionConfig | None = None, feed: PixelFeed | None = None) -> None:
        """
        :param feed: what a recogniser that reads pixels gets of the images
        :raises ModelError: the recogniser reads pixels and there is no feed
        """
        if recogniser.spec.pixels and feed is None:
            raise ModelError(
                f"model {recogniser.spec.model_id!r} reads the image too, and here are joints alone; choose a "
                "model that reads joints"
            )
        self._recogniser, self._feed = recogniser, feed
        self.spec = recogniser.spec
        self.described = recogniser.spec  # with the taught actions among the classes
        self.lesson: Lesson | None = None  # what is being shown now
        self._taught: TaughtActions | None = None
        self.configure(config or ActionConfig())
        self._tracks: dict[int, _Track] = {}
        self._stamp_ns: int | None = None

    def configure(self, config: ActionConfig) -> None:
        """Other live settings from the next frame on; the people stay."""
        self.config = config
        self._thresholds = self._threshold_of_each().tolist()

    def teach(self, taught: TaughtActions | None) -> None:
        """Tell these actions too, from the next frame on; the people stay."""
        self._taught = taught if taught and taught.actions else None
        self.described = with_taught(self.spec, self._taught)
        self._thresholds = self._threshold_of_each().tolist()
        classes = len(self.spec.classes)
        for track in self._tracks.values():
            track.window = track.estimate = None
            track.labels.forget_from(classes, self._stamp_ns or 0)
            added = np.zeros(len(self.described.classes) - classes, np.float32)
            track.probabilities = np.concatenate([track.probabilities[:classes], added])
            track.confidence = float(track.probabilities.max())

    def _threshold_of_each(self) -> np.ndarray:
        """(K,), the user's for every class where there is one, else the model's."""
        if self.config.threshold:
            return np.full(len(self.described.classes), self.config.threshold, np.float32)
        return self.described.threshold_of_each()

    def reset(self) -> None:
        """Forget everybody."""
        self._tracks.clear()
        self._stamp_ns = None
        if self._feed is not None:
            self._feed.reset()

    def __call__(self, graphs: SkeletonGraphs, frame: Frame | None = None) -> ActionEstimates:
        """The estimates of everybody in `graphs`.

        :param frame: the image of the graphs' stamp; read only where there is a feed
        :raises ModelError: the model was trained on another layout, or reads the image and there is none
        """
        if graphs.layout.joints != self.spec.layout.joints:
            raise ModelError(
                f"model {self.spec.model_id!r} reads the layout {self.spec.layout.name!r}, the graphs come in "
                f"{graphs.layout.name!r}: set the graph stage's layout to {self.spec.layout.name!r}"
            )
        self._forget(graphs.stamp_ns)
        ids = graphs.track_ids.tolist()
        for track_id in ids:
            if track_id not in self._tracks:
                self._tracks[track_id] = _Track(self.described, graphs.stamp_ns)
        tracks = [self._tracks[track_id] for track_id in ids]
        if self._feed is not None:
            if frame is None:
                raise ModelError(f"model {self.spec.model_id!r} reads the image too, and none came with the graphs")
            self._feed.see(frame, graphs)
        due = push_frame([track.resampler for track in tracks], graphs.stamp_ns, graphs.features)
        begin = 0
        for count in due.rounds:
            self._step(tracks, due, slice(begin, begin + count))
            begin += count
        people = tuple(self._estimate(track_id, track) for track_id, track in zip(ids, tracks))
        return ActionEstimates(
            graphs.stamp_ns,
            graphs.frame_id,
            graphs.layout,
            self.described.classes,
            self.spec.model_id,
            self.described.sha256,
            people,
        )

    def _forget(self, stamp_ns: int) -> None:
        """Free the tracks that a gap in time has ended: those not seen for long, or all where stamps go backwards."""
        before, self._stamp_ns = self._stamp_ns, stamp_ns
        if before is not None and stamp_ns <= before:
            _log.warning(
                "graph stamps went back by %.2f s: all %d people start afresh", (before - stamp_ns) * 1e-9, len(self._tracks)
            )
            self._tracks.clear()
        oldest_ns = stamp_ns - round(self.config.max_gap_s * 1e9)
        for track_id in [i for i, track in self._tracks.items() if (track.resampler.last_stamp_ns or 0) < oldest_ns]:
            _log.debug("person %d not seen for %.2f s: forgotten", track_id, self.config.max_gap_s)
            del self._tracks[track_id]

    def _step(self, tracks: list[_Track], due: DueTicks, which: slice) -> None:
        """Advance the people of these ticks by one, all in one call of the model.

        :param tracks: of everybody in the graphs
        """
        features, people, stamps_ns = due.features[which], due.people[which], due.stamps_ns[which]
        rows: list[_Row] = []
        for tick, (person, stamp_ns, speed) in enumerate(zip(people, stamps_ns, speeds(features))):
            track = tracks[person]
            track.estimate = None
            resting_in = track.labels.label(self.described.classes) in self.spec.postures
            if track.memory.comes_to_rest(stamp_ns, speed, self.config, restart=not resting_in) and not resting_in:
                track.labels.give_up(stamp_ns)
                if track.window is not None:
                    track.window.restart()
            rows += [_Row(track, person, tick, stamp_ns, each) for each in track.memory.running(self.config.memory_s)]
        pixels = self._feed.pixels([row.person for row in rows]) if self._feed is not None else None
        if len(rows) > len(people):
            features = features.take([row.tick for row in rows], 0)
        state = np.concatenate([row.evidence.state for row in rows]).reshape(len(rows), -1)
        output = self._recogniser.step(features, state, pixels)
        probabilities = _softmax(output.logits / np.float32(self.spec.temperature))
        threshold = self.config.threshold or self.spec.threshold
        if output.embedding is not None and (self._taught or self.lesson):
            likeness = self._watch_taught(rows, features, output.embedding)
            if self._taught:
                probabilities = joined(probabilities, likeness, self._taught.limits, threshold)
        energies, chances = output.frame_energy.tolist(), probabilities.tolist()
        for number, row in enumerate(rows):
            row.evidence.add(row.stamp_ns, output.state[number], energies[number])
            track = row.track
            if row.evidence is track.memory.current:
                track.probabilities, track.confidence = probabilities[number], max(chances[number])
                track.joint_attention = output.joint_attention[number]
                track.labels.update(row.stamp_ns, chances[number], self._thresholds, self.config)

    def _watch_taught(self, rows: list[_Row], features: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Likeness of each row's person to each taught action; the lesson's person is watched by the lesson too.

        :param features: (V, C) a row; :param embeddings: one a row
        """
        likeness = np.full((len(rows), len(self._taught.actions) if self._taught else 0), -1, np.float32)
        learner = self._tracks.get(self.lesson.track_id) if self.lesson else None
        for number, (row, joints) in enumerate(zip(rows, features)):
            track = row.track
            if row.evidence is not track.memory.current:
                continue
            if self.lesson is not None and track is learner:
                self.lesson.add(row.stamp_ns, speeds(joints[None])[0], embeddings[number], joints)
            if self._taught:
                track.window = track.window or TaughtWindow(embeddings.shape[1], joints.shape, self.spec.rate_hz)
                track.window.add(embeddings[number], joints)
                likeness[number] = track.window.likeness(self._taught)
        return likeness

    def _estimate(self, track_id: int, track: _Track) -> ActionEstimate:
        if track.estimate is not None:  # no tick since
            return track.estimate
        weights, stamps_ns = track.memory.current.frame_attention(self.spec.decay_per_s)
        track.estimate = ActionEstimate(
            track_id,
            track.labels.label(self.described.classes),
            track.labels.state,
            track.confidence,
            track.probabilities,
            track.labels.onset_ns,
            int(stamps_ns[0]),
            int(stamps_ns[-1]),
            track.joint_attention,
            weights,
            stamps_ns,
        )
        return track.estimate


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, float32."""
    powers = np.exp(logits - np.maximum.reduce(logits, -1, keepdims=True))
    powers /= np.add.reduce(powers, -1, keepdims=True)
    return np.asarray(powers, np.float32)
