"""Passwords never reach what people and machines read."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from pose_attention_ros.cameras import CameraConfig, open_source
from pose_attention_ros.cli.main import main, parser_for
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
        ("http://cam/api/token/hunter2/live.mjpg", "http://cam/api/token/***/live.mjpg"),
        ("http://cam/accessToken/hunter2.m3u8", "http://cam/accessToken/***.m3u8"),
        ("http://cam//stream-keys//hunter2", "http://cam//stream-keys//***"),
        ("rtsps://cam:7441/gUNGpQqTR7yMiDyl?enableSrtp", "rtsps://cam:7441/***?enableSrtp"),
        ("rtmp://cam/live/ab1c-d2ef-3gh4-ij5k-l6mn", "rtmp://cam/live/***"),
        ("http://cam/9b2e4c1a-3f5d-4e6f-8a7b-0c1d2e3f4a5b/live.mjpg", "http://cam/***/live.mjpg"),
        ("cannot open rtsp://cam/live/k3jq8zv1x0pm7w5t: timed out", "cannot open rtsp://cam/live/***: timed out"),
        ("rtsp://me:hunter2@cam/live/Zq9xT7rLpWv2-KdYb4mRt6Hs", "rtsp://***@cam/live/***"),
        ("http://cam/aGk3qT9%2BZx8Qw2Lr5uV1nBf4%3D%3D", "http://cam/***"),
        ("file:///home/me/gUNGpQqTR7yMiDyl.mp4", "file:///home/me/gUNGpQqTR7yMiDyl.mp4"),
        ("/home/me/gUNGpQqTR7yMiDyl.mp4", "/home/me/gUNGpQqTR7yMiDyl.mp4"),
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
    "address",
    [
        "rtsp://10.0.0.5:554/Streaming/Channels/101",
        "rtsp://cam/h264Preview_01_main",
        "rtsp://cam/onvif-media-stream-profile-1",
        "rtsp://cam/MediaInputChannelMainStream",
        "rtsp://cam/cam1-720p-h264-main",
        "rtsp://cam/front-door-camera-1080p-h264-30fps",
        "rtsp://cam/keyboard/passage/monkey/1",
        "http://cam/axis-cgi/mjpg/video.cgi",
        "http://nas/recordings/2026-11-27/front_door_10.30.00.mkv",
        "http://nas/recordings/20261127T103000Z.mp4",
        "http://nas:8080/bigbuckbunny_1280x720_h264_5mb_30sec.mp4",
        "http://nas/dav/1732701600123.mp4",
    ],
)
def test_an_ordinary_path_is_shown_whole(address: str) -> None:
    assert masked(address) == masked(f"{address}:")[:-1] == address


@pytest.mark.parametrize(
    "make", [lambda: secrets.token_hex(16), lambda: secrets.token_urlsafe(32), lambda: str(uuid.uuid4())]
)
def test_most_tokens_in_a_path_are_recognised(make: Callable[[], str]) -> None:
    tokens = [make() for _ in range(300)]
    assert sum(token not in masked(f"http://cam/live/{token}/index.m3u8") for token in tokens) > 270


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("0", "0"),
        ("rtsp://me:${PW}@cam/1", "rtsp://me:hunter2@cam/1"),
        ("http://cam/?user=me&pwd=${PW}", "http://cam/?user=me&pwd=hunter2"),
        ("rtspsrc user-pw=${PW} ! decodebin", "rtspsrc user-pw=hunter2 ! decodebin"),
        ("/data/$PW.mp4", "/data/$PW.mp4"),
        ("http://cam/token/${PW}", "http://cam/token/hunter2"),
    ],
)
def test_a_password_comes_from_the_environment(text: str, full: str) -> None:
    assert filled(text, {"PW": "hunter2"}) == full and masked(full) == masked(text)


def test_a_word_from_the_environment_may_stand_in_a_path_and_is_hidden_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pose_attention_ros.core.secrets._told", set())
    assert masked("rtsp://cam/live/sesame/1") == "rtsp://cam/live/sesame/1"
    assert filled("rtsp://cam/live/${PW}/1", {"PW": "sesame"}) == "rtsp://cam/live/sesame/1"
    assert masked("rtsp://cam/live/sesame/1") == "rtsp://cam/live/***/1"
    assert masked("404 for /live/sesame/1") == "404 for /live/***/1"


def test_a_command_line_names_the_variable_of_a_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    command = ["run", "--source", "rtsp://me:${CAMERA_PW}@127.0.0.1:9/1", "--out", str(tmp_path), "--timeout-s", "3"]
    monkeypatch.delenv("CAMERA_PW", raising=False)
    with pytest.raises(SystemExit):
        main(command)
    assert "the environment has no variable CAMERA_PW" in capsys.readouterr().err
    monkeypatch.setenv("CAMERA_PW", "hunter2")
    assert parser_for("run").parse_args(command).source == "rtsp://me:hunter2@127.0.0.1:9/1"
    assert main(command) == 1
    told = capsys.readouterr().err
    assert "rtsp://***@127.0.0.1:9/1" in told and "hunter2" not in told


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("rtsp://cam/${SHORT}", ValueError),
        ("rtsp://cam/live/${AND}", ValueError),
        ("/data/${PW}.mp4", ValueError),
        ("rtsp://me:${NONE}@cam/1", KeyError),
        ("http://${PW}/1", ValueError),
        ("http://cam/?pwd=${AND}", ValueError),
    ],
)
def test_a_password_may_not_stand_where_all_see_it(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        filled(text, {"PW": "hunter2", "AND": "hunter2&x", "SHORT": "ab1"})


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
