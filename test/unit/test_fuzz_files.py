"""Damaged files of every kind: they are read, or refused with one line; nothing else comes out, and nothing hangs."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from file_samples import SAMPLES, Sample
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pose_attention_ros.core.errors import UserError

pytestmark = pytest.mark.slow

FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck))
ODD_ARRAYS = (
    np.zeros(0),
    np.array(3.5),
    np.array(["text", "other"]),
    np.full((2, 2), np.nan),
    np.arange(3),
    -np.ones((1, 1, 1)),
    np.array([10**12, -1]),
    np.zeros((4, 13, 2)),
    np.array([True]),
    np.array([1 + 2j]),
    np.zeros((2, 0, 3)),
)
# fmt: off
ODD_TEXTS = ("", "\x00", "a: &a [*a]", "- 1", "1e999", "null", "\ufeff", "? ? ?", "!!python/object:os.system x",
             "{\"a\": 1", "é" * 5, "1,2\n" * 50, ",,,,\n\"", "NaN", "metrics: {a: {min: [1]}}", "0,1,wave\n" * 3)
# fmt: on


def of_kind(*endings: str) -> list[str]:
    """Names of the samples whose file ends so."""
    return [name for name, sample in SAMPLES.items() if sample.name.endswith(endings)]


@st.composite
def damage(draw: Callable) -> Callable[[bytes], bytes]:
    """Something that happens to bytes: some flip, some get lost, some are put in."""
    kind, seed = draw(st.sampled_from(["flip", "cut", "drop", "insert", "zero", "other"])), draw(st.integers(0, 2**32 - 1))
    amount = draw(st.integers(1, 30))

    def act(content: bytes) -> bytes:
        rng, data = np.random.default_rng(seed), bytearray(content)
        place = int(rng.integers(len(data) + 1)) if data else 0
        if kind == "cut":
            return bytes(data[:place])
        if kind == "drop":
            return bytes(data[:place] + data[place + amount :])
        if kind == "insert":
            return bytes(data[:place] + rng.bytes(amount) + data[place:])
        if kind == "other":
            return rng.bytes(amount * 10)
        for where in rng.integers(len(data), size=amount) if data else ():
            data[where] = 0 if kind == "zero" else int(data[where]) ^ (1 << int(rng.integers(8)))
        return bytes(data)

    return act


def only_user_errors(sample: Sample, path: Path) -> None:
    try:
        sample.read(path)
    except UserError as error:
        assert "\n" not in str(error) and 10 < len(str(error)) < 800, str(error)


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Sample, Path, bytes]:
    """The sample of the test's parameter, written, and its bytes."""
    sample = SAMPLES[request.param]
    path = tmp_path / sample.name
    sample.write(path)
    sample.read(path)  # whole, it can be read
    return sample, path, path.read_bytes()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", SAMPLES, indirect=True)
def test_damaged_bytes(place: tuple[Sample, Path, bytes]) -> None:
    sample, path, content = place

    @FEW
    @given(damage())
    def check(act: Callable[[bytes], bytes]) -> None:
        path.write_bytes(act(content))
        only_user_errors(sample, path)

    check()


@pytest.mark.parametrize("place", of_kind(".npz"), indirect=True)
def test_arrays_of_another_kind(place: tuple[Sample, Path, bytes]) -> None:
    """A file whose container is whole, with an array that is absent or not what it should be."""
    sample, path, content = place
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    for name in arrays:
        for odd in (None, *ODD_ARRAYS):
            others = {key: value for key, value in arrays.items() if key != name}
            np.savez(path, **others, **({} if odd is None else {name: odd}))
            only_user_errors(sample, path)


@pytest.mark.parametrize("place", of_kind(".json", ".csv", ".yaml"), indirect=True)
def test_texts_of_another_kind(place: tuple[Sample, Path, bytes]) -> None:
    sample, path, content = place
    deep = 1100 if sample.name.endswith("json") else 350  # YAML's reader takes the square of that
    for odd in (*ODD_TEXTS, "[" * deep, "{" * deep):
        for mixed in (odd, content.decode() + odd, odd + content.decode()):
            path.write_text(mixed)
            only_user_errors(sample, path)


@pytest.mark.parametrize("place", SAMPLES, indirect=True)
def test_no_file_at_all(place: tuple[Sample, Path, Any]) -> None:
    """Absent, a folder in its place, or one that may not be read because a part of its path is a file."""
    sample, path, _ = place
    path.unlink()
    with pytest.raises(UserError):
        sample.read(path)
    path.mkdir()
    only_user_errors(sample, path)
    shutil.rmtree(path)
    path.touch()
    only_user_errors(sample, path)
