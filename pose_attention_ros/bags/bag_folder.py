"""What is a bag on a disk; the bags of a folder, each with the labels that lie beside it. Opens none of them."""

from __future__ import annotations

from pathlib import Path

from pose_attention_ros.core.errors import SourceError

STORAGE_SUFFIXES = (".db3", ".mcap")


def find_bags(folder: Path) -> list[Path]:
    """All bags in `folder` and below, sorted; `folder` itself where it is one. Raises SourceError where there is none."""
    if not folder.exists():
        raise SourceError(f"{folder} does not exist; expected a folder of bags")
    found = _bags_in(folder)
    if not found:
        raise SourceError(f"{folder} holds no bag; expected rosbag2 folders, .mcap, .db3 or .bag files in it")
    return sorted(found)


def _bags_in(path: Path) -> list[Path]:
    if is_bag(path) and not (path.is_dir() and _holds_single_files(path)):
        return [path]
    return [bag for entry in sorted(path.iterdir()) for bag in _bags_in(entry)] if path.is_dir() else []


def _holds_single_files(folder: Path) -> bool:
    """Storage files of several recordings side by side, not the parts of one: no metadata, and names that do not go on."""
    if (folder / "metadata.yaml").is_file():
        return False
    stems = {
        file.name.split(".")[0].rstrip("0123456789").rstrip("_")
        for file in folder.iterdir()
        if file.suffix in (".db3", ".mcap", ".bag")
    }
    return len(stems) > 1


def labels_beside(bag: Path, folder: Path | None = None) -> Path | None:
    """BAG/labels.csv, or NAME.csv beside the bag, or NAME.csv in `folder`; None where there is none of them."""
    name = bag.name if bag.is_dir() else bag.stem
    places = [folder / f"{name}.csv"] if folder else [bag / "labels.csv", bag.parent / f"{name}.csv"]
    return next((place for place in places if place.is_file()), None)


def is_bag(path: Path) -> bool:
    """Whether `path` looks like a bag: a folder with metadata or storage files, or such a file."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or any(is_storage(file) for file in path.iterdir())
    return path.suffix == ".bag" or is_storage(path)


def is_storage(file: Path) -> bool:
    """Whether `file` holds the messages of a bag, or a part of them."""
    return (
        file.is_file()
        and not file.name.startswith(".")
        and (file.suffix in STORAGE_SUFFIXES or file.name.endswith(tuple(suffix + ".zstd" for suffix in STORAGE_SUFFIXES)))
    )
