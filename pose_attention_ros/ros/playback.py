"""A Player inside a node: its status topic, the answers it waits for, and what happens at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node, NodeNameNonExistentError
from rclpy.publisher import Publisher
from std_msgs.msg import Header

from pose_attention_ros.core.secrets import masked
from pose_attention_ros.core.types import Frame
from pose_attention_ros.msg import ActionLabelArray, SourceStatus
from pose_attention_ros.ros.answers import AllAnswers, Answers
from pose_attention_ros.ros.managed import ManagedNode
from pose_attention_ros.ros.player import Deliveries, Player, PlayerConfig
from pose_attention_ros.ros.qos import latched_profile, result_profile
from pose_attention_ros.ros.repeated_stamps import RepeatedStamp
from pose_attention_ros.ros.stamps import header_of, ns_of, stamp_ns_of

_ANSWER_TYPES = {
    "actions": (ActionLabelArray, lambda message: stamp_ns_of(message.header)),
    "recorded": (Header, lambda message: ns_of(message.stamp)),
}
_EVERYBODYS_TOPICS = ("/clock", "/parameter_events")  # a node listens to them in any state
_LAST_WORDS_S = 2.0  # what is on its way out is given this long before the process ends

SOURCE_IS_OVER = (SourceStatus.STATE_ENDED, SourceStatus.STATE_FAILED)  # and no frame comes any more


def _awaited(settings: PlayerConfig, works: bool) -> dict[str, Answers]:
    """Whose answers lockstep waits for, by topic: the acknowledging one unless the node `works` itself, and the recorder."""
    if settings.pace != "lockstep":
        return {}
    awaited = {} if works and settings.acknowledge == "actions" else {settings.acknowledge: Answers()}
    if settings.recorder_lag:
        awaited.setdefault("recorded", Answers(settings.recorder_lag))
    return awaited


class Playback:
    """Plays the source of a node whose settings are a PlayerConfig, and tells `source_status`.

    :param process: takes each frame, in the player's thread; returns how to give the answer to it again
    :param subscribers: how many there are who take the frames
    :param admits: whether to take the frame of a stamp
    :param works: `process` makes the actions itself, so that lockstep waits for nobody unless a recorder is asked for
    """

    def __init__(
        self,
        node: ManagedNode,
        process: Callable[[Frame], Callable[[], None]],
        subscribers: Callable[[], int],
        admits: Callable[[int], bool],
        works: bool = False,
    ) -> None:
        self._node, self._settings, self._subscribers = node, node.settings, subscribers
        self._source = masked(node.settings.source)
        self._answers = _awaited(self._settings, works)
        self._process, self._repeated = process, RepeatedStamp()
        self.player = Player(
            self._settings,
            node.now_ns,
            Deliveries(
                began=lambda: self._tell(SourceStatus.STATE_PLAYING),
                admits=admits,
                deliver=self._deliver,
                missing=self._missing,
                ended=self._ended,
                failed=self._failed,
                warn=self._warn,
            ),
            AllAnswers(self._answers.values()) if self._answers else None,
        )
        self._works = works
        self._status: Publisher | None = None
        self._state = SourceStatus.STATE_STOPPED

    def open(self) -> tuple[int, int]:
        """Open the source; returns its image size (width, height). Raises SourceError."""
        camera = self.player.open()
        self._status = self._node.advertise(SourceStatus, "source_status", latched_profile())
        frames = f", {camera.frame_count} frames" if camera.frame_count else ""
        self._node.get_logger().info(
            f"source {self._source}: {camera.size[0]}x{camera.size[1]}, "
            f"{camera.fps:g} frames a second{frames}, {self._settings.pace}"
        )
        return camera.size

    def start(self) -> None:
        """Begin to play."""
        self._repeated.clear()
        for topic, answers in self._answers.items():
            answers.clear()
            kind, stamp_of = _ANSWER_TYPES[topic]

            def seen(message: Any, to=answers, stamp_of=stamp_of) -> None:
                to.seen(stamp_of(message))

            self._node.listen(kind, topic, seen, result_profile())
        self.player.start()

    def stop(self) -> None:
        """Stop playing; who reads the status then knows that no frame comes."""
        self.player.stop()
        if self._state == SourceStatus.STATE_PLAYING:
            self._tell(SourceStatus.STATE_STOPPED)

    def close(self) -> None:
        """Free the source."""
        self.player.close()

    def details(self) -> dict[str, str]:
        """For the diagnostics; a live camera also knows the frames that newer ones replaced, and why it is away."""
        camera = self.player.camera
        told = {"source": self._source, "frames": str(self.player.played), "skipped": str(self.player.skipped)}
        told.update((name, str(getattr(camera, name))) for name in ("dropped", "trouble") if getattr(camera, name, None))
        return told

    def _deliver(self, frame: Frame) -> None:
        try:
            if not self._repeated.answered(frame.stamp_ns):
                self._repeated.keep(frame.stamp_ns, self._process(frame))
        except Exception as error:
            self._node.tell_failure("frame", error)

    def _missing(self) -> list[str]:
        """Who should be there before the first frame and is not: those named, or anybody who takes the images; the time."""
        named = [name.strip() for name in self._settings.wait_for.split(",") if name.strip()]
        missing = [name for name in named if not at_work(self._node, name)]
        if not self._node.now_ns():
            missing.append("the time on /clock")
        if not named and not self._works and not self._subscribers():
            missing.append("somebody who takes the images")
        return missing + [
            f"somebody who publishes {topic}"
            for topic in self._answers
            if not self._node.count_publishers(self._node.resolve_topic_name(topic))
        ]

    def _warn(self, text: str) -> None:
        if not self._node.ending:  # those who should answer may be gone already
            self._node.get_logger().warning(text)

    def _tell(self, state: int) -> None:
        camera, settings, self._state = self.player.camera, self._settings, state
        total = camera.frame_count if camera else 0
        if settings.max_frames:
            total = min(total, settings.max_frames) if total else settings.max_frames
        self._status.publish(
            SourceStatus(
                header=header_of(self.player.last_stamp_ns, settings.frame_id),
                state=state,
                source=self._source,
                rate=float(camera.fps if camera else 0),
                image_width=camera.size[0] if camera else 0,
                image_height=camera.size[1] if camera else 0,
                frames=self.player.played,
                frames_total=total,
            )
        )

    def _ended(self) -> None:
        if not self._node.context.ok():
            return
        self._tell(SourceStatus.STATE_ENDED)
        skipped = f", {self.player.skipped} skipped" if self.player.skipped else ""
        self._node.get_logger().info(f"end of {self._source}: {self.player.played} frames{skipped}")
        if self._settings.on_end == "shutdown":
            self._leave(0)

    def _failed(self, error: Exception) -> None:
        if not self._node.context.ok():
            return
        self._node.get_logger().error(masked(str(error)))
        self._tell(SourceStatus.STATE_FAILED)
        self._leave(1)

    def _leave(self, exit_code: int) -> None:
        self._node.flush(_LAST_WORDS_S)
        self._node.stop(exit_code)


def at_work(node: Node, name: str) -> bool:
    """Whether the managed node `name` in the namespace of `node` is active: it subscribes only then."""
    try:
        topics = node.get_subscriber_names_and_types_by_node(name, node.get_namespace())
    except NodeNameNonExistentError:
        return False
    return any(topic not in _EVERYBODYS_TOPICS for topic, _ in topics)
