"""Opens bags of every kind without ROS: rosbag2 in sqlite3 and MCAP, compressed or not, whole or damaged, and ROS 1."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pose_attention_ros.bags.bag_folder import is_storage
from pose_attention_ros.bags.foreign import ForeignMcap, profile_of
from pose_attention_ros.bags.salvage import MendedMcap, MendedSqlite
from pose_attention_ros.bags.types import TypeReader, known_types
from pose_attention_ros.core.errors import MessageError, SourceError
from pose_attention_ros.core.machine.file_names import is_utf8
from pose_attention_ros.core.messages.records import stamp_in
from pose_attention_ros.core.time.stamps import LeftOut

_MEANT_IN_ADDRESSES = frozenset("%?#")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # no CDR message begins like this


@dataclass(frozen=True)
class Topic:
    """What a bag says of one topic; `msgtype` is empty where it has recorded several types under the name."""

    name: str
    msgtype: str
    count: int


class Bag:
    """An open bag; a context manager.

    :param path: bag folder, or a single .db3, .mcap or .bag file
    :param left_out: told what of the bag cannot be read
    :raises SourceError: not a bag, or so damaged that nothing of it can be read
    """

    def __init__(self, path: Path, left_out: LeftOut | None = None) -> None:
        self.path, self.left_out = path, left_out or LeftOut()
        if not path.exists():
            raise SourceError(f"bag {path} does not exist")
        if not path.is_file() and not path.is_dir():  # opening a pipe would wait for whoever may write into it
            raise SourceError(f"bag {path} is a pipe, a socket or a device; expected a rosbag2 folder, .db3, .mcap or .bag")
        self._stack = ExitStack()
        known_types()  # tells that rosbags is missing
        try:
            self._readers = self._opened()
        except BaseException:
            self._stack.close()
            raise
        self._ros1 = path.suffix == ".bag"
        self._decoders: dict[str, TypeReader] = {}
        self.topics: dict[str, Topic] = {}
        for connection in (connection for reader in self._readers for connection in reader.connections):
            if not _is_ros(connection):
                encoding = connection.ext.serialization_format
                self.left_out.add(f"topic {connection.topic} is {encoding}, no ROS 2 message (cdr)")
                continue
            before = self.topics.get(connection.topic, Topic(connection.topic, connection.msgtype, 0))
            kind = connection.msgtype if connection.msgtype == before.msgtype else ""
            self.topics[connection.topic] = Topic(connection.topic, kind, before.count + connection.msgcount)
        held = [reader for reader in self._readers if reader.end_time]
        self.start_ns = min((reader.start_time for reader in held), default=0)
        self.end_ns = max((reader.end_time for reader in held), default=0)

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files; twice does no harm."""
        self._readers = []
        self._stack.close()

    def messages(
        self, topics: Sequence[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[tuple[str, int, bytes]]:
        """(topic, time of recording, bytes) of the topics in the order of recording. A bag that breaks off ends there."""
        for reader in list(self._readers):
            connections = [
                connection for connection in reader.connections if connection.topic in topics and _is_ros(connection)
            ]
            if not connections:
                continue
            try:
                for connection, recorded_ns, raw in reader.messages(connections, start_ns, stop_ns):
                    # A damaged SQLite file gives NULL or text in the place of bytes: a message of none.
                    yield connection.topic, recorded_ns, raw if isinstance(raw, (bytes, bytearray, memoryview)) else b""
            # The readers let errors of sqlite3, struct and the decompressors through; each means damage here.
            except Exception as error:
                self.left_out.add(f"the bag breaks off and is read up to there ({type(error).__name__}: {_one_line(error)})")

    def read(self, topic: str, raw: bytes) -> Any:
        """The message in `raw`. Raises MessageError for bytes that do not fit, SourceError for an unknown type."""
        decoder = self._decoder(topic)
        try:
            return decoder(_unpacked(raw))
        except Exception as error:  # rosbags lets errors of struct and indexing through
            raise MessageError(f"bytes that are no {self.topics[topic].msgtype} ({type(error).__name__})") from None

    def is_as_here(self, topic: str) -> bool:
        """Whether its messages are laid out as our own definitions have it. Raises SourceError for an unknown type."""
        return self._decoder(topic).as_here

    def _decoder(self, topic: str) -> TypeReader:
        decoder = self._decoders.get(topic)
        if decoder is None:
            definition = next(
                (
                    connection.msgdef
                    for reader in self._readers
                    for connection in reader.connections
                    if connection.topic == topic and connection.msgdef is not None and _is_ros(connection)
                ),
                None,
            )
            decoder = self._decoders[topic] = TypeReader(self.topics[topic].msgtype, definition, self._ros1)
        return decoder

    def stamp_of(self, raw: bytes) -> int:
        """Stamp of a message that begins with a header, in nanoseconds; -1 if there is none."""
        raw = _unpacked(raw)
        if not self._ros1:
            return stamp_in(raw)
        if len(raw) < 12:
            return -1
        seconds, nanoseconds = struct.unpack_from("<II", raw, 4)  # after the sequence number
        return seconds * 1_000_000_000 + nanoseconds

    def check_type(self, topic: str) -> None:
        """Raises SourceError if the messages of `topic` cannot be decoded."""
        if self.topics[topic].count:
            self._decoder(topic)

    def _opened(self) -> list[Any]:
        path = self.path
        if path.suffix == ".bag":
            try:
                return [self._entered(_ros1_reader(path))]
            except Exception as error:  # see `messages`
                raise _unreadable(path, error) from None
        if not path.is_dir():
            return [self._storage(path)]
        files = sorted((file for file in path.iterdir() if is_storage(file)), key=lambda file: (len(file.name), file.name))
        if any(_is_misread(file) or _is_foreign(file) for file in files):
            return [self._storage(file) for file in files]
        if (path / "metadata.yaml").is_file():
            try:
                return [self._entered(_ros2_reader(path))]
            except Exception as error:  # yaml, sqlite and struct errors come through as they are
                if not files:
                    raise _unreadable(path, error) from None
                self.left_out.add(
                    f"metadata.yaml does not fit the files beside it, which are read without it ({_one_line(error)})"
                )
        elif files:
            self.left_out.add("metadata.yaml is missing: the files of the folder are read in the order of their names")
        else:
            raise SourceError(f"{path} is not a bag that can be read (no metadata.yaml, no .db3, no .mcap); {_EXPECTED}")
        readers = []
        for file in files:
            try:
                readers.append(self._storage(file))
            except SourceError as error:
                if len(files) == 1:
                    raise
                self.left_out.add(str(error))
        if not readers:
            raise SourceError(f"{path} is not a bag that can be read: none of its {len(files)} files can; {_EXPECTED}")
        return readers

    def _storage(self, file: Path) -> Any:
        """A reader of one storage file; of what is there of it, where it breaks off."""
        file = self._unzipped(file)
        if _is_misread(file):
            return self._mended_sqlite(file)
        if _is_foreign(file):
            return self._foreign(file)
        try:
            return self._entered(_ros2_reader(file))
        except Exception as error:
            reason = error
        if file.suffix == ".mcap":
            if reader := self._tried(lambda: self._entered(_ros2_reader(ForeignMcap(file)))):
                return reader  # whole, with topics beside that are not ROS's
            reader = self._tried(lambda: self._entered(_ros2_reader(MendedMcap(file))))
        else:
            reader = self._tried(lambda: self._mended_sqlite(file))
        if reader is None or not self._tell_damage(file, reader, reason):
            raise _unreadable(file, reason) from None
        return reader

    def _tried(self, open_it: Callable[[], Any]) -> Any | None:
        try:
            return open_it()
        except Exception:  # see `messages`
            return None

    def _mended_sqlite(self, file: Path) -> Any:
        reader = MendedSqlite(file)
        self._stack.callback(reader.close)
        return reader

    def _tell_damage(self, file: Path, reader: Any, reason: Exception) -> int:
        """How many messages there are before the damage; tells it where there are some."""
        count = sum(connection.msgcount for connection in reader.connections)
        if count:
            self.left_out.add(
                f"{file.name} is damaged ({_one_line(reason)}): the {count} messages before the damage are used"
            )
        return count

    def _foreign(self, file: Path) -> Any:
        """A reader of the ROS 2 messages of an MCAP file without the ROS 2 profile."""
        said = f"{file.name} is an MCAP file without the ROS 2 profile (its profile is {profile_of(file)!r})"
        try:
            reader = self._entered(_ros2_reader(ForeignMcap(file)))
        except Exception as error:
            reader = self._tried(lambda: self._entered(_ros2_reader(MendedMcap(ForeignMcap(file)))))
            if reader is not None and self._tell_damage(file, reader, error):
                self.left_out.add(f"{said}: it is read for its ROS 2 messages")
                return reader
            raise SourceError(
                f"{file}: {said}, and no ROS 2 messages can be read from it ({_one_line(error)}); record with "
                "`ros2 bag record -s mcap`, or convert it to a ROS 2 bag"
            ) from None
        encodings = sorted({connection.ext.serialization_format for connection in reader.connections})
        if not any(_is_ros(connection) for connection in reader.connections):
            raise SourceError(
                f"{file}: {said}, and its messages are {', '.join(encodings) or 'none'}, not ROS 2's (cdr); "
                "record with `ros2 bag record -s mcap`, or convert it to a ROS 2 bag"
            )
        self.left_out.add(f"{said}: it is read for its ROS 2 messages")
        return reader

    def _unzipped(self, file: Path) -> Path:
        if file.suffix != ".zstd":
            return file
        from rosbags.rosbag2.reader import zstd

        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            with zstd.open(file, "rb") as packed, (folder / file.stem).open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        except Exception as error:  # cut short: what could be unpacked is there
            self.left_out.add(f"{file.name} cannot be unpacked to its end ({_one_line(error)})")
        return folder / file.stem

    def _entered(self, reader: Any) -> Any:
        reader.open()
        self._stack.callback(reader.close)
        return reader


_EXPECTED = "expected a rosbag2 folder, .db3, .mcap or .bag, closed properly by its recorder (try: ros2 bag reindex)"


def _is_foreign(file: Path) -> bool:
    return file.suffix == ".mcap" and profile_of(file) not in (None, "ros2")


def _is_ros(connection: Any) -> bool:
    """Whether messages are serialised as ROS does it; only MCAP files say so of each topic."""
    return getattr(getattr(connection, "ext", None), "serialization_format", "cdr") == "cdr"


def _is_misread(file: Path) -> bool:
    """Whether rosbags, which gives sqlite an address in the place of a path, would open another file."""
    name = str(file.absolute())
    return file.suffix == ".db3" and (not is_utf8(name) or not _MEANT_IN_ADDRESSES.isdisjoint(name))


def _ros2_reader(path: Any) -> Any:
    from rosbags.rosbag2 import Reader

    return Reader(path)


def _ros1_reader(path: Path) -> Any:
    from rosbags.rosbag1 import Reader

    return Reader(path)


def _unpacked(raw: bytes) -> bytes:
    """A message that was compressed by itself, where the metadata that says so is missing."""
    if raw[:4] != _ZSTD_MAGIC:
        return raw
    from rosbags.rosbag2.reader import zstd

    return zstd.decompress(raw)


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path} is not a bag that can be read ({_one_line(error)}); {_EXPECTED}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
