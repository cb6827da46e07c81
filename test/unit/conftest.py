"""Fixtures of the unit tests."""

from tensorrt_fixtures import cudart, trt

__all__ = ["cudart", "trt"]
