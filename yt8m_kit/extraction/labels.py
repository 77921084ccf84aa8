"""Labels of the videos of a folder: by a CSV, or by the folders they lie in."""

import csv
import hashlib
import io
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.format.label_file import LabelFile
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.extraction.sources import Source, class_folders, find_videos, from_folders, from_table
from yt8m_kit.output import progress


class Labelled(NamedTuple):
    """Videos with labels. skipped: reasons by name of those without. vocabulary: its bytes, if any."""

    sources: list[Source]
    skipped: dict[str, str]
    vocabulary: bytes

    @property
    def vocabulary_digest(self) -> str:
        """SHA-256 in hex, `none` without a vocabulary."""
        return hashlib.sha256(self.vocabulary).hexdigest() if self.vocabulary else "none"


def labelled(
    videos: Path, out: Path, dataset: Dataset, *, split: str, labels: Path | None, names: Path | None
) -> Labelled:
    """Find the videos of a folder and their labels.

    labels: a CSV, see LabelFile; None: the folder of a video is its class. names: a vocabulary; None: the one
    in OUT, or the names of the folders. Raises UsageError for videos without labels, except those of split
    test, for folders that are no classes and for ids that occur again; DataError for a wrong CSV.
    """
    paths = find_videos(videos)
    kept = out / vocabulary.FILE
    names = names or (kept if kept.exists() else None)
    known = vocabulary.read(names, dataset.classes) if names else {}
    text = names.read_bytes() if names else b""
    if labels:
        table = LabelFile(labels, known, dataset.classes, single_label=dataset.single_label)
        sources, skipped = from_table(paths, videos, table)
        if unused := table.unused():
            lines = progress.plural(len(unused), "line")
            progress.say(f"{lines} of {labels} without a video, e.g. {unused[0]!r}")
    else:
        if not known and class_folders(paths, videos):
            known, text = _of_folders(class_folders(paths, videos), videos, dataset)
        sources, skipped = from_folders(paths, videos, known), {}
    if split != "test" and not any(each.labels for each in sources):
        raise UsageError(f"no video in {videos} has a label: give --labels=CSV, or a folder to each class.")
    _check_ids(sources)
    return Labelled(sources, skipped, text)


def _of_folders(folders: list[str], videos: Path, dataset: Dataset) -> tuple[dict[int, str], bytes]:
    if len(folders) != dataset.classes:
        raise UsageError(
            f"{videos} has {progress.plural(len(folders), 'folder')} of videos, and {dataset.name} "
            f"{dataset.classes} classes: give the names of all with --vocabulary=FILE."
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("Index", "Name"), *enumerate(folders)])
    return dict(enumerate(folders)), text.getvalue().encode()


def _check_ids(sources: list[Source]) -> None:
    seen: dict[str, str] = {}
    for each in sources:
        if (other := seen.setdefault(each.id, each.name)) != each.name:
            raise UsageError(f"{other!r} and {each.name!r} would have the same id {each.id!r}: rename one.")
