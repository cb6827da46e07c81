"""Videos, image folders and bags as frame sources, and the one line a user sees when one cannot be used."""

from __future__ import annotations

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose_attention_ros.cameras import CameraConfig, SourceError, open_source
from pose_attention_ros.cameras.folder import natural_key
from pose_attention_ros.evaluation.mp4_times import set_times

rosbag2 = pytest.importorskip("rosbags.rosbag2", reason="writes bags: pip install rosbags")
typesys = pytest.importorskip("rosbags.typesys")
StoragePlugin, Writer = rosbag2.StoragePlugin, rosbag2.Writer
STORE = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
SECOND = 1_000_000_000


def numbered_image(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """An image whose brightness says which frame it is."""
    return np.full((size[1], size[0], 3), number * 20, np.uint8)


def number_of(frame) -> int:
    return round(float(frame.image_bgr.mean()) / 20)


def write_video(path: Path, frames: int = 10, fps: float = 25.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (64, 48))
    for number in range(frames):
        writer.write(numbered_image(number))
    writer.release()
    return path


def raw_message(number: int, stamp_ns: int, encoding: str = "bgr8"):
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // SECOND, nanosec=stamp_ns % SECOND)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="head_camera")
    data = numbered_image(number).reshape(-1)
    return types["sensor_msgs/msg/Image"](
        header=header, height=48, width=64, encoding=encoding, is_bigendian=0, step=192, data=data
    )


def compressed_message(number: int, stamp_ns: int):
    types, raw = STORE.types, raw_message(number, stamp_ns)
    return types["sensor_msgs/msg/CompressedImage"](
        header=raw.header, format="jpeg", data=cv2.imencode(".jpg", numbered_image(number))[1]
    )


def write_bag(path: Path, topics: dict[str, list], storage: StoragePlugin = StoragePlugin.SQLITE3) -> Path:
    """A bag with the given messages per topic, recorded 2 s later than their stamps."""
    with Writer(path, version=Writer.VERSION_LATEST, storage_plugin=storage) as writer:
        for topic, messages in topics.items():
            kind = messages[0].__msgtype__
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for index, message in enumerate(messages):
                writer.write(connection, index * 40_000_000 + 2 * SECOND, STORE.serialize_cdr(message, kind))
    return path


def read_all(camera) -> list:
    return list(iter(camera.read, None))


def test_video_gives_every_frame_with_its_presentation_time(tmp_path):
    camera = open_source(str(write_video(tmp_path / "clip.avi")), start_stamp_ns=5 * SECOND)
    assert (camera.fps, camera.live, camera.size, camera.frame_count) == (25.0, False, (64, 48), 10)
    frames = read_all(camera)
    assert [number_of(frame) for frame in frames] == list(range(10))
    assert [frame.stamp_ns for frame in frames] == [5 * SECOND + 40_000_000 * i for i in range(10)]
    assert {frame.frame_id for frame in frames} == {"camera"}
    camera.close()
    camera.close()
    assert camera.read() is None


@pytest.mark.parametrize("kind", ["video", "folder", "bag"])
def test_looping_sources_go_on_with_rising_stamps(tmp_path, kind):
    if kind == "video":
        source = write_video(tmp_path / "clip.avi", frames=3)
    elif kind == "bag":
        source = write_bag(tmp_path / "bag", {"image": [raw_message(i, SECOND + i * 40_000_000) for i in range(3)]})
    else:
        source = tmp_path
        for number in range(3):
            cv2.imwrite(str(tmp_path / f"{number}.png"), numbered_image(number))
    camera = open_source(str(source), CameraConfig(loop=True, assumed_fps=25.0))
    frames = [camera.read() for _ in range(8)]
    assert [number_of(frame) for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert set(np.diff([frame.stamp_ns for frame in frames])) == {40_000_000}
    assert camera.frame_count == 0
    camera.close()
    assert camera.read() is None


def test_folder_is_read_in_natural_order_and_skips_what_is_no_image(tmp_path, caplog):
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), numbered_image(number))
    (tmp_path / "frame3.png").write_bytes(b"not an image")
    (tmp_path / "notes.txt").write_text("ignored")
    frames = read_all(open_source(str(tmp_path), CameraConfig(assumed_fps=10.0)))
    assert [number_of(frame) for frame in frames] == [1, 2, 10]
    assert [frame.stamp_ns for frame in frames] == [0, SECOND // 10, 3 * SECOND // 10]  # the unreadable one's time passes
    (warning,) = caplog.records
    assert warning.getMessage() == f"{tmp_path}/frame3.png is not a readable image and is left out"


@pytest.mark.parametrize("channels,dtype", [(1, np.uint8), (4, np.uint8), (3, np.uint16)])
def test_folder_images_of_other_formats_become_bgr(tmp_path, channels, dtype):
    level = 100 * (np.iinfo(dtype).max + 1) // 256
    cv2.imwrite(str(tmp_path / "image.png"), np.full((8, 6, channels), level, dtype))
    image = open_source(str(tmp_path)).read().image_bgr
    assert image.shape == (8, 6, 3) and image.dtype == np.uint8 and (image == 100).all()


@pytest.mark.parametrize("storage", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
@pytest.mark.parametrize("make", [raw_message, compressed_message])
@pytest.mark.parametrize("single_file", [False, True])
def test_bag_images_keep_their_header_stamps(tmp_path, storage, make, single_file):
    stamps = [SECOND + i * 40_000_000 for i in range(5)]
    bag = write_bag(tmp_path / "bag", {"camera/image": [make(i, stamp) for i, stamp in enumerate(stamps)]}, storage)
    if single_file:
        bag = next(entry for entry in bag.iterdir() if entry.suffix in (".db3", ".mcap"))
    camera = open_source(str(bag))
    assert (camera.frame_count, camera.size, round(camera.fps)) == (5, (64, 48), 25)
    frames = read_all(camera)
    assert [frame.stamp_ns for frame in frames] == stamps
    assert [number_of(frame) for frame in frames] == list(range(5))
    assert {frame.frame_id for frame in frames} == {"head_camera"}


def test_bag_image_without_a_stamp_takes_its_recording_time(tmp_path):
    bag = write_bag(tmp_path / "bag", {"image": [raw_message(0, 0), raw_message(1, 0)]})
    assert [frame.stamp_ns for frame in read_all(open_source(str(bag)))] == [2 * SECOND, 2 * SECOND + 40_000_000]


def test_bag_with_several_image_topics_reads_the_chosen_one(tmp_path):
    bag = write_bag(tmp_path / "bag", {"left": [raw_message(1, SECOND)], "right": [raw_message(2, SECOND)]})
    assert number_of(open_source(str(bag), CameraConfig(topic="right")).read()) == 2
    with pytest.raises(SourceError, match=r"several image topics; choose one with the setting topic: left, right"):
        open_source(str(bag))


def test_bag_that_breaks_off_gives_what_it_holds(tmp_path, caplog):
    bag = write_bag(tmp_path / "bag", {"image": [raw_message(i, SECOND + i) for i in range(9)]})
    database = next(bag.glob("*.db3"))
    content = bytearray(database.read_bytes())
    content[50_000:60_000] = bytes(10_000)
    database.write_bytes(content)
    frames = read_all(open_source(str(bag)))
    assert 0 < len(frames) < 9
    assert "breaks off" in caplog.text


def test_damaged_images_in_a_bag_are_left_out(tmp_path, caplog):
    messages = [raw_message(0, SECOND), raw_message(1, SECOND + 1, encoding="no_such"), raw_message(2, SECOND + 2)]
    frames = read_all(open_source(str(write_bag(tmp_path / "bag", {"image": messages}))))
    assert [number_of(frame) for frame in frames] == [0, 2]
    assert "'no_such' is not one of" in caplog.text


def test_a_video_behind_http_is_read_like_a_file(tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    write_video(tmp_path / "clip.avi")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        camera = open_source(f"http://127.0.0.1:{server.server_port}/clip.avi")
        assert not camera.live
        assert [number_of(frame) for frame in read_all(camera)] == list(range(10))
        server.shutdown()


def broken_frame(path: Path, number: int) -> Path:
    """Zeroes what one frame of an AVI of MJPG frames holds."""
    content = bytearray(path.read_bytes())
    at = content.index(b"movi")
    for _ in range(number + 1):
        at = content.index(b"00dc", at + 1)
    size = int.from_bytes(content[at + 4 : at + 8], "little")
    content[at + 8 : at + 8 + size] = bytes(size)
    path.write_bytes(content)
    return path


def write_mp4(path: Path, seconds, code: str = "mp4v") -> Path:
    """A video whose frames are shown for so many seconds each."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25, (64, 48))
    for number in range(len(seconds)):
        writer.write(numbered_image(number % 12))
    writer.release()
    set_times(path, np.asarray(seconds, float))
    return path


@pytest.mark.parametrize("numbers", [(3,), (0,), (3, 4, 5), (9,)])
def test_a_video_goes_on_past_what_cannot_be_decoded(tmp_path, caplog, numbers):
    path = write_video(tmp_path / "clip.avi")
    for number in numbers:
        broken_frame(path, number)
    for loop in (False, True):
        caplog.clear()
        camera = open_source(str(path), CameraConfig(loop=loop))
        frames = [camera.read() for _ in range(2 * (10 - len(numbers)))] if loop else read_all(camera)
        kept = [number for number in range(10) if number not in numbers]
        assert [number_of(frame) for frame in frames] == kept * (2 if loop else 1)
        (warning,) = caplog.records
        assert (
            warning.getMessage() == f"{path} is damaged or cut off: {len(numbers)} of 10 frames cannot be decoded and "
            "are left out"
        )
    stamps = [frame.stamp_ns // 40_000_000 for frame in read_all(open_source(str(path)))]
    assert stamps == [number - kept[0] for number in kept]


def moov_first(path: Path) -> Path:
    """The same MP4 with its index before the frames, as browsers and phones send it."""
    content = path.read_bytes()
    at = content.rindex(b"moov") - 4
    begin = content.index(b"mdat") - 4
    moov = bytearray(content[at:])
    offsets = moov.index(b"stco") + 8
    for i in range(int.from_bytes(moov[offsets : offsets + 4], "big")):
        place = slice(offsets + 4 + 4 * i, offsets + 8 + 4 * i)
        moov[place] = (int.from_bytes(moov[place], "big") + len(moov)).to_bytes(4, "big")
    path.write_bytes(content[:begin] + moov + content[begin:at])
    return path


def test_a_video_that_is_cut_off_gives_what_it_holds_and_says_what_it_lacks(tmp_path, caplog):
    whole = write_mp4(tmp_path / "whole.mp4", [0.04] * 12)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"it is an MP4 file without its index \(moov\), as one that was cut off"):
        open_source(str(cut))
    first = moov_first(whole)
    assert len(read_all(open_source(str(first)))) == 12 and not caplog.records
    cut.write_bytes(first.read_bytes()[: first.stat().st_size * 3 // 4])
    given = len(read_all(open_source(str(cut))))
    assert 0 < given < 12
    assert f"{cut} is damaged or cut off: {12 - given} of 12 frames cannot be decoded" in caplog.text


def test_a_stream_that_lost_packets_is_told_by_the_holes_in_its_times(tmp_path, caplog):
    path = tmp_path / "clip.ts"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    noise = np.random.default_rng(0).integers(0, 255, (100, 48, 64, 3), np.uint8)
    for image in noise:
        writer.write(image)
    writer.release()
    assert len(read_all(open_source(str(path)))) == 100 and not caplog.records
    content = path.read_bytes()
    packets = len(content) // 188
    path.write_bytes(content[: packets // 2 * 188] + content[packets * 55 // 100 * 188 :])
    given = len(read_all(open_source(str(path))))
    assert 85 < given < 100
    assert f"{path} gives {given} of about 100 frames that its times promise: it is damaged or cut off" in caplog.text


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_short_stream_file_that_ends_before_the_length_that_it_states(tmp_path, caplog, share):
    """Matroska states a length and no number of frames."""
    path = tmp_path / "clip.mkv"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for image in np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8):
        writer.write(image)
    writer.release()
    assert len(read_all(open_source(str(path)))) == 20 and not caplog.records
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    given = len(read_all(open_source(str(path))))
    assert 3 < given < 15
    assert f"gives {given} of about 20 frames that its times promise" in caplog.text


def test_an_mp4_file_with_its_index_and_without_a_video(tmp_path):
    path = write_mp4(tmp_path / "sound.mp4", [0.04] * 3)
    path.write_bytes(path.read_bytes().replace(b"vide", b"soun"))
    with pytest.raises(SourceError, match=r"an MP4 file that holds no video, or whose index \(moov\) is damaged"):
        open_source(str(path))


def test_the_rate_of_a_video_is_that_of_its_stamps(tmp_path):
    camera = open_source(str(write_mp4(tmp_path / "varied.mp4", [0.1] * 10 + [0.02] * 30)))
    assert [round(frame.stamp_ns * 1e-6) for frame in read_all(camera)] == [*range(0, 1000, 100), *range(1000, 1600, 20)]
    browser = tmp_path / "browser.webm"  # browsers write the time base in the place of the rate
    writer = cv2.VideoWriter(str(browser), cv2.VideoWriter_fourcc(*"VP80"), 1000, (64, 48))
    for number in range(240):
        writer.write(numbered_image(number % 12))
    writer.release()
    assert open_source(str(browser)).fps == 1000  # here it is true
    even = open_source(str(write_mp4(tmp_path / "even.mp4", [1001 / 30000] * 20)))
    assert even.fps == pytest.approx(30000 / 1001, abs=1e-3)


def test_the_rate_of_a_bag_is_that_of_its_images(tmp_path):
    words = [STORE.types["std_msgs/msg/String"](data="hello") for _ in range(500)]
    stamps = [SECOND + i * 100_000_000 for i in range(10)]
    bag = write_bag(tmp_path / "bag", {"image": [raw_message(i, stamp) for i, stamp in enumerate(stamps)], "words": words})
    assert open_source(str(bag)).fps == 10


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    "name",
    [
        "2024-05-01T10:30:00.avi",
        "me ! you.avi",
        "a b.avi",
        "a%20b.avi",
        "0001",
        " a.avi ",
        "%03d.avi",
        "http:x.avi",
        f"{NOT_UTF8}.avi",
        f"{NOT_UTF8}/a.avi",
        "#.avi",
        "?.avi",
        "~.avi",
        "~nobody/a.avi",
        "[1]*.avi",
    ],
)
def test_what_exists_as_a_path_is_a_path(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    write_video(tmp_path / "plain.avi").rename(path)
    monkeypatch.chdir(tmp_path)
    for source in (name, str(path), f"./{name}", f"file://{path}", path.as_uri(), f"file://localhost{path.as_uri()[7:]}"):
        camera = open_source(source)
        assert len(read_all(camera)) == 10, source
        camera.close()


@pytest.mark.parametrize("name", ["0001", "a ! b", "10:30", "a%20b", "a?b#c", NOT_UTF8])
@pytest.mark.parametrize("kind", ["folder", StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_folders_and_bags_of_any_name(tmp_path, monkeypatch, caplog, kind, name):
    monkeypatch.chdir(tmp_path)
    if kind == "folder":
        Path("plain").mkdir()
        for number in range(5):
            Path("plain", f"{number}{NOT_UTF8}.png").write_bytes(cv2.imencode(".png", numbered_image(number))[1].tobytes())
        Path("plain", "._0.png").write_bytes(b"notes of macOS")
    else:
        bag = write_bag(Path("plain"), {"image": [raw_message(i, SECOND + i * 40_000_000) for i in range(5)]}, kind)
        (bag / f"._plain{'.db3' if kind is StoragePlugin.SQLITE3 else '.mcap'}").write_bytes(b"notes of macOS")
    Path("plain").rename(name)
    assert [number_of(frame) for frame in read_all(open_source(name))] == list(range(5))
    assert not caplog.records


def test_a_link_to_a_device_is_a_device(tmp_path):
    (tmp_path / "front_camera").symlink_to("/dev/null")
    with pytest.raises(SourceError, match=r"^camera .*front_camera: .*is it a camera"):
        open_source(str(tmp_path / "front_camera"), CameraConfig(timeout_s=2.0))


def wrong_sources(folder: Path) -> dict[str, tuple[str, str]]:
    """source, what its message must say."""
    (folder / "empty").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "broken.db3").write_bytes(b"SQLite format 3\0" + b"garbage" * 500)
    (folder / "broken.mcap").write_bytes(b"garbage" * 500)
    cut = next(write_bag(folder / "cut", {"image": [raw_message(i, SECOND + i) for i in range(9)]}).glob("*.db3"))
    cut.write_bytes(cut.read_bytes()[:45_000])
    (folder / "only_bad").mkdir()
    (folder / "only_bad" / "a.png").write_bytes(b"x")
    types = STORE.types
    write_bag(folder / "words", {"chatter": [types["std_msgs/msg/String"](data="hello")]})
    with Writer(folder / "nothing", version=Writer.VERSION_LATEST):
        pass
    return {
        "missing file": (f"{folder}/no.mp4", "no.mp4 does not exist; expected a camera number"),
        "empty file": (f"{folder}/empty.mp4", "empty.mp4 is empty"),
        "no video": (f"{folder}/text.mp4", "is not a video that OpenCV can read"),
        "empty folder": (f"{folder}/empty", "holds no images; expected files ending in .bmp"),
        "folder of broken images": (f"{folder}/only_bad", "none of the 1 images in folder .* can be read"),
        "bag without images": (f"{folder}/words", "holds no images; its topics are chatter"),
        "empty bag": (f"{folder}/nothing", "is empty; expected at least one image topic"),
        "broken database": (f"{folder}/broken.db3", "is not a bag that can be read"),
        "truncated bag": (f"{folder}/cut", "is not a bag that can be read .*malformed"),
        "broken mcap": (f"{folder}/broken.mcap", "is not a bag that can be read"),
        "empty": ("", "source is empty"),
        "missing file:// path": (f"file://{folder}/no%20such.mp4", "no%20such.mp4 does not exist"),
        "missing name of other letters": (f"{folder}/{NOT_UTF8}", "does not exist; expected"),
        "a zero byte": ("a\0b", "does not exist; expected"),
        "too long": ("x" * 5000, "does not exist; expected"),
        "missing camera": ("57", "no camera 57: /dev/video57 does not exist; cameras on this machine: "),
        "missing device": ("/dev/video58", "no camera /dev/video58"),
        "dead address": (
            "rtsp://user:secret@127.0.0.1:9/x",
            r"^rtsp://\*\*\*@127.0.0.1:9/x: cannot be opened; check the address",
        ),
    }


@pytest.mark.slow
def test_wrong_sources_give_one_line_with_a_remedy(tmp_path, capfd):
    for case, (source, expected) in wrong_sources(tmp_path).items():
        with pytest.raises(SourceError, match=expected) as caught:
            open_source(source, CameraConfig(timeout_s=2.0))
        assert "\n" not in str(caught.value), case
    assert capfd.readouterr() == ("", ""), "libraries must not write to the terminal"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("suffix", [".mp4", ".mcap", ""])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    with pytest.raises(SourceError, match="pipe"):
        open_source(tmp_path / f"pipe{suffix}")


def test_natural_order():
    names = ["b.png", "a10.png", "a9.png", "A1.png", "10.png", "9.png"]
    assert sorted(names, key=natural_key) == ["9.png", "10.png", "A1.png", "a9.png", "a10.png", "b.png"]
