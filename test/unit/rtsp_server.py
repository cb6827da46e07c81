"""An RTSP camera for the tests: GStreamer's own server. Run by a Python that has its bindings: rtsp_server.py PORT CODEC.

Prints "ready" when it listens; ends with its standard input, so that no test leaves it behind.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

ENCODERS = {
    "h264": "x264enc tune=zerolatency key-int-max=10 ! rtph264pay name=pay0 pt=96",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
}


def main(port: str, codec: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=25/1 ! videoconvert ! "
        f"video/x-raw,format=I420 ! {ENCODERS[codec]} )"
    )
    factory.set_shared(True)
    server.get_mount_points().add_factory("/eye", factory)
    server.attach(None)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    print("ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
