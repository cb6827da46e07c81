"""MATLAB files from outside. SciPy reads them, in a process of its own: a damaged file can end SciPy with a segmentation
fault, and must not end us."""

from __future__ import annotations

import atexit
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

_reader: ProcessPoolExecutor | None = None


def read_mat(path: Path, squeeze: bool = False) -> dict[str, np.ndarray]:
    """The arrays of a file by their names. What SciPy raises is raised; ValueError where the file ends its process.

    :param squeeze: axes of length one are left out
    """
    global _reader
    import scipy.io  # noqa: F401  so that the process, a copy of this one, need not load it

    if _reader is None:
        _reader = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
        atexit.register(_end)
    try:
        return _reader.submit(_loaded, path, squeeze).result()
    except BrokenProcessPool:
        _end()
        raise ValueError("it is damaged so that SciPy, which reads it, crashes") from None


def _loaded(path: Path, squeeze: bool) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    return loadmat(path, squeeze_me=squeeze)


def _end() -> None:
    global _reader
    if _reader is not None:
        _reader.shutdown(wait=False)
        _reader = None
