"""A network camera for the tests: a video played in real time, again and again, as motion JPEG over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2


def _frames(path: Path) -> tuple[list[bytes], float]:
    """Each frame as JPEG, and their rate in Hz."""
    capture, found = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        found.append(cv2.imencode(".jpg", read[1], (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())
    return found, capture.get(cv2.CAP_PROP_FPS)


@contextmanager
def live_video(path: Path) -> Iterator[str]:
    """Its address; whoever connects sees what is played at that moment."""
    frames, rate_hz = _frames(path)
    began_s, ended = time.monotonic(), threading.Event()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            number = int((time.monotonic() - began_s) * rate_hz)
            while not ended.wait(max(began_s + number / rate_hz - time.monotonic(), 0)):
                jpeg = frames[number % len(frames)]
                try:
                    self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                    self.wfile.write(jpeg + b"\r\n")
                except ConnectionError:
                    return
                number += 1

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/camera.mjpg"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
