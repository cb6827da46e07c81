"""What a robot may still lack after `rosdep install`: packages of pip, which have no rosdep key."""

from __future__ import annotations

from importlib.util import find_spec

WITHOUT_ROSDEP_KEY = frozenset({"ai_edge_litert", "onnxruntime", "rosbags", "tflite"})
ABSENT = frozenset(name for name in WITHOUT_ROSDEP_KEY if find_spec(name) is None)


def absent_package(error: BaseException | None, absent: frozenset[str] = ABSENT) -> str | None:
    """Which of the packages `absent` an error comes from, whatever it was turned into on its way; None: from none."""
    while error is not None:
        name = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        if name in absent:
            return name
        error = error.__cause__ or error.__context__
    return None
