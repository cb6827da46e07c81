"""Keeps the chatter of libraries away from the user's screen."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Send descriptor 2 to nowhere while the block runs; for the short moments in which a library opens something.

    Python's own errors are raised as ever. What other threads write to stderr meanwhile is lost, so keep the block short.
    Set POSE_ATTENTION_NATIVE_LOG=1 to see everything.
    """
    if os.environ.get("POSE_ATTENTION_NATIVE_LOG"):
        yield
        return
    with _lock:
        try:
            kept = os.dup(2)
        except OSError:  # a daemon without stderr
            kept = None
        if kept is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        try:
            yield
        finally:
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)


@contextlib.contextmanager
def quiet_exporters() -> Iterator[None]:
    """Keep the progress and advice that exporters and quantisers print and log to ourselves while the block runs."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
