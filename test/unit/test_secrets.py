"""Passwords never reach what people and machines read."""

from __future__ import annotations

import pytest

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.core.errors import UserError
from pose_attention_ros.core.secrets import filled, masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("0", "0"),
        ("/home/me/key=walk.mp4", "/home/me/key=***"),
        ("/data/walk@home.mp4", "/data/walk@home.mp4"),
        ("rtsp://10.0.0.5:554/stream", "rtsp://10.0.0.5:554/stream"),
        ("rtsp://admin:hunter2@10.0.0.5:554/stream", "rtsp://***@10.0.0.5:554/stream"),
        ("rtsp://admin:hun/ter@2@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("rtsp://admin:my hunter2@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("rtsp://admin:hunter2'@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("admin:hunter2@10.0.0.5/stream", "***@10.0.0.5/stream"),
        ("http://cam/video.cgi?user=admin&pwd=hunter2&res=1", "http://cam/video.cgi?user=***&pwd=***&res=***"),
        ("http://cam/video?u=me&p=hunter2#top", "http://cam/video?u=***&p=***#top"),
        ("http://me:hun?x=ter2@cam/1", "http://***@cam/1"),
        ("http://cam/%3Floginpas%3Dhunter2", "http://cam/%3Floginpas%3D***"),
        (
            'curlhttpsrc location=http://cam extra-headers="a,Authorization=(string)Basic hunter2" ! jpegdec',
            "curlhttpsrc location=http://cam extra-headers=*** ! jpegdec",
        ),
        ("https://cam/live?access_token=hunter2", "https://cam/live?access_token=***"),
        (
            "rtspsrc location=rtsp://cam/1 user-id=me user-pw=hunter2 ! decodebin",
            "rtspsrc location=rtsp://cam/1 user-id=me user-pw=*** ! decodebin",
        ),
        (
            'rtspsrc location="rtsp://me:hunter2@cam/1" user-pw="hunter 2" ! decodebin',
            'rtspsrc location="rtsp://***@cam/1" user-pw=*** ! decodebin',
        ),
    ],
)
def test_what_is_shown_of_a_source(address: str, shown: str) -> None:
    assert masked(address) == shown
    assert str(UserError(f"source is {address}")) == f"source is {shown}"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("0", "0"),
        ("rtsp://me:${PW}@cam/1", "rtsp://me:hunter2@cam/1"),
        ("http://cam/?user=me&pwd=${PW}", "http://cam/?user=me&pwd=hunter2"),
        ("rtspsrc user-pw=${PW} ! decodebin", "rtspsrc user-pw=hunter2 ! decodebin"),
        ("/data/$PW.mp4", "/data/$PW.mp4"),
    ],
)
def test_a_password_comes_from_the_environment(text: str, full: str) -> None:
    assert filled(text, {"PW": "hunter2"}) == full and masked(full) == masked(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [("rtsp://me:${NONE}@cam/1", KeyError), ("http://${PW}/1", ValueError), ("http://cam/?pwd=${AND}", ValueError)],
)
def test_a_password_may_not_stand_where_all_see_it(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        filled(text, {"PW": "hunter2", "AND": "hunter2&x"})


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://admin:hunter2@127.0.0.1:9/stream",
        "http://admin:hunter2@127.0.0.1:9/video.mp4",
        "http://127.0.0.1:9/video.cgi?pwd=hunter2",
        "ftp://admin:hunter2@127.0.0.1:9/x.mp4",
        "rtspsrc location=rtsp://admin:hunter2@127.0.0.1:9/1 ! decodebin",
        "/no/such/folder/rtsp://admin:hunter2@127.0.0.1:9/stream",
    ],
)
def test_a_source_that_cannot_be_opened_is_told_without_its_password(
    source: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    with pytest.raises(UserError) as raised:
        open_source(source, CameraConfig(timeout_s=3.0))
    told = capfd.readouterr()
    assert "hunter2" not in str(raised.value) + caplog.text + told.out + told.err
    assert "***" in str(raised.value) or "GStreamer" in str(raised.value)
