"""Playing a source: pace, lockstep, repeats, the end; without any node. And joining by stamp."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not here")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores, get_typestore

from pose_attention_ros.core.machine.load import RateCap
from pose_attention_ros.core.types import Frame
from pose_attention_ros.ros.answers import AllAnswers, Answers
from pose_attention_ros.ros.logs import Throttle
from pose_attention_ros.ros.player import Deliveries, Player, PlayerConfig
from pose_attention_ros.ros.repeated_stamps import RepeatedStamp
from pose_attention_ros.ros.sync import StampSynchroniser

PATIENCE_S = 120.0


class Audience:
    """Takes what a player delivers; answers each stamp the `answer_at`-th time it comes."""

    def __init__(
        self,
        config: PlayerConfig,
        answer_at: Callable[[int], int] = lambda stamp_ns: 1,
        admits: Callable[[int], bool] = lambda stamp_ns: True,
    ) -> None:
        self.stamps: list[int] = []
        self.times_s: list[float] = []
        self.warnings: list[str] = []
        self.error: Exception | None = None
        self.over = threading.Event()
        self.work_s = 0.0
        self._answer_at, self._answers = answer_at, Answers()
        to = Deliveries(
            began=lambda: None,
            admits=admits,
            deliver=self._take,
            missing=list,
            ended=self.over.set,
            failed=self._fail,
            warn=self.warnings.append,
        )
        self.player = Player(config, time.time_ns, to, self._answers if config.pace == "lockstep" else None)

    def _take(self, frame: Frame) -> None:
        self.stamps.append(frame.stamp_ns)
        self.times_s.append(time.monotonic())
        time.sleep(self.work_s)
        if self.stamps.count(frame.stamp_ns) == self._answer_at(frame.stamp_ns):
            self._answers.seen(frame.stamp_ns)

    def _fail(self, error: Exception) -> None:
        self.error = error
        self.over.set()


@pytest.fixture
def play(drawn_video: Path) -> Iterator[Callable[..., Audience]]:
    """Plays the drawn video to its end."""
    audiences: list[Audience] = []

    def begin(
        answer_at: Callable[[int], int] = lambda stamp_ns: 1,
        admits: Callable[[int], bool] = lambda stamp_ns: True,
        **settings: object,
    ) -> Audience:
        audiences.append(Audience(PlayerConfig(source=str(drawn_video), **settings), answer_at, admits))
        audiences[-1].player.open()
        audiences[-1].player.start()
        assert audiences[-1].over.wait(PATIENCE_S)
        return audiences[-1]

    yield begin
    for audience in audiences:
        audience.player.stop()


def test_in_real_time_frames_come_when_their_stamps_say(play: Callable[..., Audience]) -> None:
    before_ns = time.time_ns()
    audience = play()
    assert audience.player.played + audience.player.skipped == 12
    assert before_ns < audience.stamps[0] < time.time_ns()
    for stamp_ns, moment_s in zip(audience.stamps, audience.times_s):
        late_s = (moment_s - audience.times_s[0]) - (stamp_ns - audience.stamps[0]) * 1e-9
        assert abs(late_s) < 0.5, "the last comes 1.1 s after the first"


def test_a_recording_begins_when_nobody_is_missing(drawn_video: Path) -> None:
    """Its stamps begin then, too."""
    audience, missing = Audience(PlayerConfig(source=str(drawn_video), max_frames=2)), ["pose"]
    audience.player = Player(
        PlayerConfig(source=str(drawn_video), max_frames=2),
        time.time_ns,
        Deliveries(
            began=lambda: None,
            admits=lambda stamp_ns: True,
            deliver=audience._take,
            missing=lambda: missing,
            ended=audience.over.set,
            failed=audience._fail,
            warn=audience.warnings.append,
        ),
        None,
    )
    audience.player.start()
    assert not audience.over.wait(0.6) and not audience.stamps
    there_ns = time.time_ns()
    missing.clear()
    assert audience.over.wait(PATIENCE_S)
    audience.player.stop()
    assert audience.stamps[0] > there_ns and not audience.warnings


def test_in_lockstep_every_frame_comes_once_and_at_once(play: Callable[..., Audience]) -> None:
    audience = play(pace="lockstep")
    assert audience.stamps == [100_000_000 * number for number in range(12)]
    assert audience.warnings == []


def test_an_unanswered_frame_is_sent_again(play: Callable[..., Audience]) -> None:
    audience = play(lambda stamp_ns: 2 if stamp_ns in (0, 500_000_000) else 1, pace="lockstep", lockstep_timeout_s=0.05)
    assert sorted(set(audience.stamps)) == [100_000_000 * number for number in range(12)]
    assert len(audience.stamps) == 14 and audience.player.played == 12
    assert len(audience.warnings) == 1 and "0.500 s" in audience.warnings[0]  # the first frame is asked for gently


def test_a_frame_that_nobody_answers_is_skipped(play: Callable[..., Audience]) -> None:
    audience = play(
        lambda stamp_ns: 99 if stamp_ns == 300_000_000 else 1, pace="lockstep", lockstep_timeout_s=0.05, lockstep_attempts=2
    )
    assert (audience.player.played, audience.player.skipped) == (11, 1)
    assert "0.300 s" in audience.warnings[-1] and "2 of 2 attempts" in audience.warnings[-1]


def test_frames_beyond_the_rate_cap_are_left_out(play: Callable[..., Audience]) -> None:
    """In lockstep, too, where nobody is asked for an answer to them; the stamps decide, so every run is alike."""
    cap = RateCap()
    audience = play(admits=lambda stamp_ns: cap.admits(stamp_ns, 5.0), pace="lockstep")
    assert audience.stamps == [200_000_000 * number for number in range(6)]
    assert (audience.player.played, audience.player.skipped) == (6, 0)


def test_max_frames_ends_the_stream(play: Callable[..., Audience]) -> None:
    assert play(pace="lockstep", max_frames=5).player.played == 5


def test_a_stopped_player_starts_at_the_beginning(play: Callable[..., Audience]) -> None:
    audience = play(pace="lockstep", max_frames=3)
    first, audience.stamps = audience.stamps, []
    audience.player.stop()
    audience.over.clear()
    audience.player.start()
    assert audience.over.wait(PATIENCE_S)
    assert first == audience.stamps == [0, 100_000_000, 200_000_000]


def test_stop_ends_a_wait_for_an_answer(drawn_video: Path) -> None:
    audience = Audience(PlayerConfig(source=str(drawn_video), pace="lockstep", lockstep_timeout_s=600.0), lambda stamp_ns: 0)
    audience.player.open()
    audience.player.start()
    began = time.monotonic()
    audience.player.stop()
    assert time.monotonic() - began < 60 and not audience.over.is_set()


def test_a_recorder_may_be_a_few_frames_behind() -> None:
    """Frame k may follow once the recorder has frame k - 2; the first and the last are waited for themselves."""
    actions, recorded = Answers(), Answers(lag=2)
    both = AllAnswers((actions, recorded))
    actions.seen(0)
    assert not both.wait(0, 0.0)
    recorded.seen(0)
    for stamp_ns in (0, 10, 20):
        assert stamp_ns == 0 or not both.wait(stamp_ns, 0.0)
        actions.seen(stamp_ns)
        assert both.wait(stamp_ns, 0.0) and both.wait(stamp_ns, 0.0)  # asking twice owes nothing more
    actions.seen(30)
    assert not both.wait(30, 0.0) and not both.caught_up(30, 0.0)
    recorded.seen(10)
    assert both.wait(30, 0.0) and not both.caught_up(30, 0.0)
    recorded.seen(30)
    assert both.caught_up(30, 0.0)
    for answers in (actions, recorded):
        answers.clear()
    actions.seen(0)
    recorded.seen(30)  # late, of the round before
    assert not both.wait(0, 0.0)


@given(st.permutations("abc" * 6), st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 5))))
def test_the_synchroniser_gives_each_complete_set_once(arrivals: list[str], lost: set[tuple[str, int]]) -> None:
    """Topics that keep their order, mixed as they like, some messages lost: what is complete comes out, and what can never
    become complete does not stay until others push it out."""
    sync, stamps = StampSynchroniser(("a", "b", "c"), size=6), dict.fromkeys("abc", -1)
    sets = []
    for name in arrivals:
        stamps[name] += 1
        if (name, stamps[name]) not in lost:
            sets.append(sync.add(name, stamps[name], (name, stamps[name])))
    whole = [stamp for stamp in range(6) if not any((name, stamp) in lost for name in "abc")]
    assert [found for found in sets if found] == [tuple((name, stamp) for name in "abc") for stamp in whole]
    assert len(sync._waiting) <= 5 - max(whole, default=-1)


def test_the_synchroniser_gives_up_the_oldest() -> None:
    sync = StampSynchroniser(("a", "b"), size=2)
    for stamp in range(5):
        assert sync.add("a", stamp, stamp) is None
    assert sync.given_up == 3
    assert sync.add("b", 0, "late") is None
    assert sync.add("b", 4, "there") == (4, "there")


def test_a_repeated_stamp_gives_the_same_answer_again() -> None:
    given_answers: list[str] = []
    repeated = RepeatedStamp()
    assert not repeated.answered(5)
    repeated.keep(5, lambda: given_answers.append("five"))
    assert repeated.answered(5) and repeated.answered(5)
    assert given_answers == ["five", "five"] and repeated.times == 2
    assert not repeated.answered(6)


def test_the_throttle_lets_one_of_a_kind_through() -> None:
    throttle = Throttle(period_s=600)
    assert throttle.line("frame 1 lost") == "frame 1 lost"
    assert throttle.line("frame 2.5 lost") is None
    assert throttle.line("another matter") == "another matter"
    assert Throttle(period_s=0).line("x") == "x"


def test_who_is_late_is_told_by_the_stamps_not_by_the_length_of_the_bag(tmp_path: Path) -> None:
    """Two seconds of images in a bag of two minutes: a slow listener gets the newest, as from a camera."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    with Writer(tmp_path / "bag", version=Writer.VERSION_LATEST) as writer:
        images = writer.add_connection("image", "sensor_msgs/msg/Image", typestore=store)
        words = writer.add_connection("words", "std_msgs/msg/String", typestore=store)
        for number in range(20):
            stamp = types["builtin_interfaces/msg/Time"](sec=1, nanosec=number * 50_000_000)
            image = types["sensor_msgs/msg/Image"](
                types["std_msgs/msg/Header"](stamp, "camera"), 4, 4, "mono8", 0, 4, np.zeros(16, np.uint8)
            )
            writer.write(images, 10**9 + number * 50_000_000, store.serialize_cdr(image, image.__msgtype__))
        for second in (1, 121):
            writer.write(
                words, second * 10**9, store.serialize_cdr(types["std_msgs/msg/String"]("hello"), "std_msgs/msg/String")
            )
    audience = Audience(PlayerConfig(source=str(tmp_path / "bag")))
    audience.work_s = 0.2
    audience.player.open()
    audience.player.start()
    assert audience.over.wait(PATIENCE_S) and audience.error is None
    audience.player.stop()
    assert audience.player.skipped > 8 and audience.times_s[-1] - audience.times_s[0] < 2
