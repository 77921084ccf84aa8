"""The videos of a folder, with their ids, labels and stamps."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.format.label_file import LabelFile
from yt8m_kit.data.format.video_id import cleaned
from yt8m_kit.errors import DataError, UsageError, did_you_mean
from yt8m_kit.output.digest import Stamp, stamp

VIDEO = (
    *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"),
    *(".ts", ".webm", ".wmv"),
)


class Source(NamedTuple):
    """A video file. name: its path below the folder, with slashes. stamp: its bytes and time of change."""

    path: Path
    name: str
    labels: list[int]
    stamp: Stamp

    @property
    def id(self) -> str:
        """The name, without blanks and commas."""
        return cleaned(self.name)

    @property
    def made_from(self) -> list[object]:
        """What the record of this video depends on."""
        return [self.name, *self.stamp, self.labels]


def find_videos(folder: Path) -> list[Path]:
    """Find the video files at any depth, in an order that mixes classes but is always the same.

    They are sorted by the SHA-256 of their names, so that the first of them are a sample of all. Raises
    UsageError if there are none.
    """
    if not folder.is_dir():
        raise UsageError(f"VIDEOS must be a folder of video files; got {folder}.")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in VIDEO and path.is_file()]
    if not found:
        raise UsageError(f"{folder} holds no videos: looked for {', '.join('*' + each for each in VIDEO)}.")
    return sorted(found, key=lambda path: hashlib.sha256(_name(path, folder).encode()).digest())


def class_folders(paths: list[Path], folder: Path) -> list[str]:
    """Names of the folders that the videos lie in directly, sorted; empty if they lie in `folder` itself."""
    return sorted({path.parent.name for path in paths if path.parent != folder})


def from_folders(paths: list[Path], folder: Path, names: Mapping[int, str]) -> list[Source]:
    """Label each video by the folder it lies in; those in `folder` itself have no label.

    names: by class number. Raises UsageError for a folder that is no class.
    """
    numbers = {name: number for number, name in names.items()}
    for name in class_folders(paths, folder):
        if name not in numbers:
            raise UsageError(
                f"folder {name!r} in {folder} is no name of the vocabulary.{did_you_mean(name, numbers)}"
            )
    return [
        _source(path, folder, [numbers[path.parent.name]] if path.parent != folder else []) for path in paths
    ]


def from_table(paths: list[Path], folder: Path, table: LabelFile) -> tuple[list[Source], dict[str, str]]:
    """Label each video by its line, looked for by name below the folder, file name and stem.

    Returns the videos, and why the others, by name, are skipped: the table has no line for them.
    """
    sources, skipped = [], {}
    for path in paths:
        name = _name(path, folder)
        try:
            sources.append(_source(path, folder, table.of(name, path.name, path.stem)))
        except DataError as error:
            skipped[name] = str(error)
    return sources, skipped


def _source(path: Path, folder: Path, labels: list[int]) -> Source:
    return Source(path, _name(path, folder), labels, stamp(path))


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
