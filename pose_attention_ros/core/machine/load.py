"""How much work a stage takes on: a cap on its rate, and steps down while the machine is too slow for more, and up again.

Nothing here knows a node or a network: times come in as numbers, decisions go out.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pose_attention_ros.core.config import Settings, setting

SIZE_STEP, RATE_STEP = 0.8, 0.7  # what one step down leaves of the input's longer side, of the rate
_LONGEST_PATIENCE = 8  # times adapt_recover_s
_BUSY_ENOUGH = 0.5  # below this share of its time at work, a stage is not why its results are old
_ROOM = 0.8  # a step up must be foreseen to stay below this share of the limit
_LEAST_SAMPLES = 3
_LOOK = 0.1  # the evidence is weighed this often, in parts of adapt_after_s


@dataclass(frozen=True)
class RateConfig(Settings):
    """A cap on how many images are taken."""

    max_rate_hz: float = setting(
        0.0,
        "take so many images a second at most, by their stamps; 0: all that there is time for",
        unit="Hz",
        low=0.0,
        high=1000.0,
        live=True,
    )


@dataclass(frozen=True)
class LoadConfig(RateConfig):
    """What a stage gives up when the machine is too slow or too hot."""

    adapt: str = setting(
        "off",
        "what is lowered step by step while results come older than adapt_age_s or the machine throttles: the "
        "network's input_size, the rate, or both (the size first); raised again when there is room",
        live=True,
        choices=("off", "input_size", "rate", "both"),
    )
    adapt_age_s: float = setting(
        0.5, "adapt: how old a result may be, from capture to the end of the stage", unit="s", low=0.01, high=60.0, live=True
    )
    adapt_min_input_size: int = setting(128, "adapt: the smallest input_size", unit="px", low=64, high=1280, live=True)
    adapt_min_rate_hz: float = setting(5.0, "adapt: the lowest rate", unit="Hz", low=0.1, high=1000.0, live=True)
    adapt_after_s: float = setting(
        2.0, "adapt: results are too old for this long before a step down", unit="s", low=0.1, high=600.0, live=True
    )
    adapt_recover_s: float = setting(
        20.0,
        "adapt: there is room for this long before a step up; doubled each time a step up had to be taken back",
        unit="s",
        low=0.1,
        high=3600.0,
        live=True,
    )


class RateCap:
    """Which images of a stream to take so that they are at most so many a second, by their stamps.

    An image may come a quarter of a period early, so that a camera's jitter costs none; on average the cap holds.
    """

    def __init__(self) -> None:
        self._due_ns = self._last_ns = -math.inf

    def admits(self, stamp_ns: int, rate_hz: float) -> bool:
        """Whether to take the image; `rate_hz` 0 takes all. A stamp that goes back begins another stream."""
        if stamp_ns < self._last_ns:
            self._due_ns = -math.inf
        self._last_ns = stamp_ns
        if not rate_hz:
            return True
        period_ns = 1e9 / rate_hz
        if stamp_ns < self._due_ns - period_ns / 4:
            return False
        # What came late for its turn leaves the turns as they are, else a cap between the camera's rate and half of it would
        # be its half; after a gap they begin anew.
        self._due_ns = (self._due_ns if stamp_ns - self._due_ns < period_ns else stamp_ns) + period_ns
        return True


class Work(NamedTuple):
    """What a stage takes on: longer side of the network's input in pixels; images a second, 0 for no cap."""

    input_size: int
    rate_hz: float

    def __str__(self) -> str:
        return f"input_size {self.input_size}, " + (f"at most {self.rate_hz:.1f} Hz" if self.rate_hz else "every image")


class Change(NamedTuple):
    """From now on `work`, `why`; `down`: it is less than before."""

    work: Work
    why: str
    down: bool


class _Sample(NamedTuple):
    """One result: when (steady clock), how long the stage worked on it, how old it was then; all in seconds."""

    moment_s: float
    busy_s: float
    age_s: float


class Adaptation:
    """Lowers the work while results are too old, or the machine throttles, and raises it when there is room again.

    A step down needs `adapt_after_s` of evidence since the last change, and a stage that was busy for half of that time:
    where it was not, the images came old, and less work would not make them younger. A throttling machine takes a step
    down every `adapt_recover_s`, since heat takes its time. A step up needs `adapt_recover_s` during which the next step
    is foreseen to fit: the network's time goes with the area of its input, the load with the rate. A step up that had to
    be taken back doubles that time (hysteresis).

    :param input_size: the full longer side, a multiple of `stride`
    :param stride: what input sizes are multiples of; 0 where the network's input has one fixed size
    """

    def __init__(self, config: LoadConfig, input_size: int, stride: int) -> None:
        self._config, self._full_size, self._stride = config, input_size, stride
        self._samples: deque[_Sample] = deque()
        self._full_rate_hz = 0.0
        self._size_steps = self._rate_steps = 0
        self._changed_s = -math.inf
        self._raised_s = -math.inf
        self._look_s = -math.inf
        self._patience = 1
        self.why = ""

    @property
    def work(self) -> Work:
        """What to take on now."""
        return Work(self._size(self._size_steps), self._rate_hz(self._rate_steps))

    @property
    def lowered(self) -> bool:
        """Whether it is less than the full work."""
        return bool(self._size_steps or self._rate_steps)

    def configure(self, config: LoadConfig) -> None:
        """Use other settings from the next result on."""
        self._config = config

    def observe(self, now_s: float, busy_s: float, age_s: float, heat: str = "") -> Change | None:
        """One result is done; the change that follows from it, if any.

        :param now_s: a steady clock
        :param busy_s: how long the stage worked on it
        :param age_s: from capture to now; NaN (stamps of another clock) is no evidence
        :param heat: how the machine throttles, empty if it does not
        """
        if self._config.adapt == "off":
            return self._back_to_full() if self.lowered else None
        if math.isnan(age_s):
            return None
        self._samples.append(_Sample(now_s, busy_s, age_s))
        longest_s = max(self._config.adapt_after_s, self._config.adapt_recover_s)
        while now_s - self._samples[0].moment_s > longest_s:
            self._samples.popleft()
        if now_s < self._look_s:
            return None
        self._look_s = now_s + _LOOK * self._config.adapt_after_s
        return self._down(now_s, heat) or (self._up(now_s) if not heat else None)

    # Down ------------------------------------------------------------------------------------------------------------
    def _down(self, now_s: float, heat: str) -> Change | None:
        if heat and now_s - self._changed_s >= self._config.adapt_recover_s:
            return self._lower(now_s, heat)
        recent = self._evidence(now_s, self._config.adapt_after_s)
        if recent is None:
            return None
        age_s, busy = np.median(recent[:, 2]), _share_at_work(recent)
        if age_s <= self._config.adapt_age_s or busy < _BUSY_ENOUGH:
            return None
        return self._lower(now_s, f"results are {age_s:.2f} s old, adapt_age_s is {self._config.adapt_age_s:g} s")

    def _lower(self, now_s: float, why: str) -> Change | None:
        sizes = self._config.adapt in ("input_size", "both")
        rates = self._config.adapt in ("rate", "both")
        if sizes and self._size(self._size_steps + 1) < self._size(self._size_steps):
            self._size_steps += 1
        elif rates and self._can_lower_rate():
            self._rate_steps += 1
        else:
            return None
        taken_back = now_s - self._raised_s < self._patience * self._config.adapt_recover_s
        self._patience = min(2 * self._patience, _LONGEST_PATIENCE) if taken_back else 1
        return self._change(now_s, why, down=True)

    def _can_lower_rate(self) -> bool:
        if not self._rate_steps:
            self._full_rate_hz = _rate_hz(self._samples)
        return self._rate_hz(self._rate_steps + 1) >= self._config.adapt_min_rate_hz

    # Up --------------------------------------------------------------------------------------------------------------
    def _up(self, now_s: float) -> Change | None:
        if not self.lowered or now_s - self._changed_s < self._patience * self._config.adapt_recover_s:
            return None
        recent = self._evidence(now_s, self._config.adapt_recover_s)
        if recent is None:
            return None
        busy_s, age_s = np.percentile(recent[:, 1], 90), np.percentile(recent[:, 2], 90)
        if self._rate_steps:
            fits = age_s <= _ROOM * self._config.adapt_age_s and _share_at_work(recent) / RATE_STEP <= _ROOM
        else:
            more_s = busy_s * ((self._size(self._size_steps - 1) / self._size(self._size_steps)) ** 2 - 1)
            fits = age_s + more_s <= _ROOM * self._config.adapt_age_s
        if not fits:
            return None
        if self._rate_steps:
            self._rate_steps -= 1
        else:
            self._size_steps -= 1
        self._raised_s = now_s
        return self._change(now_s, f"results are {age_s:.2f} s old, there is room again", down=False)

    def _back_to_full(self) -> Change:
        self._size_steps = self._rate_steps = 0
        return self._change(-math.inf, "adapt is off", down=False)

    # Both ------------------------------------------------------------------------------------------------------------
    def _change(self, now_s: float, why: str, down: bool) -> Change:
        self._samples.clear()
        self._changed_s, self.why = now_s, why if self.lowered else ""
        return Change(self.work, why, down)

    def _evidence(self, now_s: float, duration_s: float) -> np.ndarray | None:
        """(N, 3) samples of the last `duration_s`, at least three; None before there is that much since the last change."""
        if len(self._samples) < _LEAST_SAMPLES or now_s - self._samples[0].moment_s < 0.9 * duration_s:
            return None
        count = sum(now_s - sample.moment_s <= duration_s for sample in self._samples)
        return np.array(self._samples)[-max(count, _LEAST_SAMPLES) :]

    def _size(self, steps: int) -> int:
        size = self._full_size
        for _ in range(steps if self._stride else 0):
            lower = int(size * SIZE_STEP) // self._stride * self._stride
            if lower < min(self._config.adapt_min_input_size, self._full_size) or not lower:
                break
            size = lower
        return size

    def _rate_hz(self, steps: int) -> float:
        return self._full_rate_hz * RATE_STEP**steps if steps else 0.0


def _share_at_work(samples: np.ndarray) -> float:
    """samples (N, 3): the share of the time between the first and the last result that was spent at work."""
    elapsed_s = samples[-1, 0] - samples[0, 0]
    return float(samples[1:, 1].sum() / elapsed_s) if elapsed_s > 0 else 1.0


def _rate_hz(samples: deque[_Sample]) -> float:
    elapsed_s = samples[-1].moment_s - samples[0].moment_s if samples else 0.0
    return (len(samples) - 1) / elapsed_s if elapsed_s > 0 else 0.0
