#!/usr/bin/env python3
"""Prints the path of a sample video of walking people: OpenCV's vtest.avi, 768x576, 795 frames, 10 frames a second.

It comes from the distribution's package `opencv-doc` (Debian, Ubuntu), which is downloaded but not installed; only this
one file is taken out, its sha256 is checked, and it is kept in the cache. Needs only the standard library; no root.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
PACKAGE = "opencv-doc"
NAME = "vtest.avi"
TIMEOUT_S = 600
REMEDY = "name a video of your own with SOURCE=..."


class SampleError(Exception):
    """Why there is no sample, in one line."""


def cache_dir() -> Path:
    """Where it is kept: the package's own cache, or $POSE_ATTENTION_CACHE."""
    chosen = os.environ.get("POSE_ATTENTION_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen).expanduser() if chosen else Path(base) / "pose_attention_ros"


def verified(file: Path) -> bool:
    """Whether `file` is the sample, byte for byte."""
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def sample(cache: Path) -> Path:
    """The sample's path, downloaded where it is not in `cache` yet. Raises SampleError."""
    file = cache / NAME
    if verified(file):
        return file
    system = Path("/usr/share/doc") / PACKAGE / "examples" / "data" / NAME
    if verified(system):
        return system
    content = from_package()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SampleError(f"{NAME} of this distribution's {PACKAGE} is not the known file (sha256 differs); {REMEDY}")
    cache.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(file)
    return file


def from_package() -> bytes:
    """The video's bytes out of the distribution's package. Raises SampleError."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SampleError(f"the sample comes from Debian's or Ubuntu's {PACKAGE}, and there is no apt-get here; {REMEDY}")
    print(f"downloading {PACKAGE} for its sample video (about 96 MB, once)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="pose-attention-") as folder:
        download = ["apt-get", "-qq", "download", PACKAGE]
        try:
            run(download, folder, "run 'sudo apt-get update', or ")
        except SampleError:
            if os.geteuid() != 0:
                raise
            run(["apt-get", "-qq", "update"], folder, "")  # a fresh container has no package lists yet
            run(download, folder, "")
        packages = list(Path(folder).glob("*.deb"))
        if len(packages) != 1:
            raise SampleError(f"apt-get download {PACKAGE} brought no package; {REMEDY}")
        run(["dpkg-deb", "-x", packages[0].name, "content"], folder, "")
        found = sorted(Path(folder, "content").rglob(NAME + "*"))
        if not found:
            raise SampleError(f"there is no {NAME} in {packages[0].name}; {REMEDY}")
        return gzip.decompress(found[0].read_bytes()) if found[0].suffix == ".gz" else found[0].read_bytes()


def run(command: list[str], folder: str, remedy: str) -> None:
    """Raises SampleError with the command's last words."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise SampleError(f"{' '.join(command)} took longer than {TIMEOUT_S} s; {REMEDY}") from None
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("W:")]
        raise SampleError(f"{' '.join(command)} failed: {lines[-1] if lines else 'no reason given'}; {remedy}{REMEDY}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=cache_dir(), help="folder to keep it in (default: %(default)s)")
    args = parser.parse_args()
    try:
        print(sample(args.cache))
    except (SampleError, OSError) as error:
        print(f"sample_video: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
