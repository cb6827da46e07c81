"""Which TensorRT is on this machine, and what it can do; told by what its API has, not by its version number."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pose_attention_ros.core.errors import ModelError

# TensorRT proper comes with JetPack or from pip; TensorRT for RTX has nearly the same API, under another name.
_MODULES = ("tensorrt", "tensorrt_rtx")
_log = logging.getLogger(__name__)


class TensorRtUnavailable(ModelError):
    """TensorRT, CUDA or a GPU is missing, or the engine cannot be made: another runtime may do the work."""


@dataclass(frozen=True, eq=False)
class Library:
    """A TensorRT Python module.

    :param name: of the module
    :param version: as it says itself
    :param logger: the one that everything of this library is made with
    """

    name: str
    version: str
    module: ModuleType
    logger: Any

    @property
    def named_tensors(self) -> bool:
        """Whether engines are run by the names of their tensors (8.5 on); else by numbered bindings."""
        return hasattr(self.module.ICudaEngine, "num_io_tensors")

    @property
    def chooses_precision(self) -> bool:
        """Whether the builder may compute in other numbers than the ONNX file says; RTX's never does."""
        return hasattr(self.module.BuilderFlag, "FP16")

    @property
    def calibrates(self) -> bool:
        """Whether it can find int8 ranges from images."""
        return hasattr(self.module, "IInt8EntropyCalibrator2")

    @property
    def builds_without_gpu(self) -> bool:
        """Whether it can build for a compute capability that is named."""
        return hasattr(self.module.IBuilderConfig, "set_compute_capability")


def find_library() -> Library:
    """The TensorRT that is installed. Raises TensorRtUnavailable where there is none, or it does not load."""
    for name in _MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise TensorRtUnavailable(f"TensorRT does not load: {error}") from None
            continue
        except (ImportError, OSError) as error:  # a shared library that it needs is missing or of another version
            raise TensorRtUnavailable(f"TensorRT does not load: {' '.join(str(error).split())}") from None
        return Library(name, module.__version__, module, _logger(module))
    raise TensorRtUnavailable(
        "TensorRT is not installed (JetPack brings it as python3-libnvinfer; elsewhere: pip install tensorrt)"
    )


def _logger(module: ModuleType) -> Any:
    """TensorRT's messages in Python's log. What fails says so by itself, with the newest error."""
    errors = (module.ILogger.INTERNAL_ERROR, module.ILogger.ERROR)

    class Logger(module.ILogger):  # type: ignore[name-defined]  # the module is known when it runs
        """Remembers the newest error, which TensorRT's functions do not return."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)
            self.newest_error = ""

        def log(self, severity: Any, message: str) -> None:
            """Called by TensorRT, from any thread."""
            if severity in errors:
                self.newest_error = message
            _log.debug("%s", message)

    return Logger()
