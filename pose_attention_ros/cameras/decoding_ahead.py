"""Decodes the next frame of a recording while the caller works on the last one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from pose_attention_ros.cameras.base import Camera
from pose_attention_ros.core.time.stamps import LeftOut
from pose_attention_ros.core.types import Frame


class ReadAhead:
    """A recording whose frames are read one ahead in a thread; in everything else it is the recording itself."""

    live = False

    def __init__(self, recording: Camera) -> None:
        self._recording = recording
        self.fps, self.size, self.frame_count = recording.fps, recording.size, recording.frame_count
        self.left_out = getattr(recording, "left_out", LeftOut())
        self._thread = ThreadPoolExecutor(1, "decoder")
        self._next: Future[Frame | None] | None = None
        self._closed = False

    def read(self) -> Frame | None:
        """The next frame, None at the end or once closed."""
        try:
            frame = (self._next or self._thread.submit(self._recording.read)).result()
            self._next = self._thread.submit(self._recording.read) if frame is not None else None
        except RuntimeError:  # closed meanwhile: the thread takes nothing more
            if not self._closed:
                raise
            return None
        return frame

    def close(self) -> None:
        """Close the recording, after the frame that is being read."""
        self._closed = True
        self._thread.shutdown(wait=True)
        self._recording.close()
