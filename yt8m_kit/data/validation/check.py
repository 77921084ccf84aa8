"""Check a split as a whole: print its statistics and warnings, refuse it for errors."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from yt8m_kit.data.loader.manifest import size_of
from yt8m_kit.data.validation.anomalies import Use, find_anomalies
from yt8m_kit.data.validation.sampling import keys_like_labels, sample
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.data.validation.summary import summary
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError
from yt8m_kit.output import progress
from yt8m_kit.stores.path import DataPath, StorePath

SAMPLED = 512  # videos
_WIDENED = 8192  # videos that are looked at where no label was found
_HEAD = 4096  # bytes by which shards of one size are compared: id, labels and the first frames
_COPY = re.compile(r"(.+?)(?: \(\d+\)| - Copy| copy)(?: \d+)?")  # names that browsers and desktops give


def check_sample(paths: Sequence[DataPath], dataset: Dataset, split: str, use: Use) -> None:
    """Check a sample of a split's shards. Raises DataError for copies of shards and other errors."""
    if copied := copy_errors(paths):
        raise DataError(f"{copied[0]}.")
    statistics = sample(paths, dataset, SAMPLED)
    if use.labels and not (statistics.labels or statistics.is_complete):
        statistics = sample(paths, dataset, _WIDENED)
    count = progress.plural(len(paths), "shard")
    what = f"{split}, {count}" if statistics.is_complete else f"{split}, a sample of {count}"
    if errors := report(statistics, dataset, f"{what} in {paths[0].parent}", use, paths):
        raise DataError(f"the {split} records in {paths[0].parent} cannot be used: {'; '.join(errors)}.")


def report(
    statistics: SplitStatistics, dataset: Dataset, what: str, use: Use, paths: Sequence[DataPath] = ()
) -> list[str]:
    """Print statistics and warnings; returns the errors. paths: the shards, to look for missing labels in."""
    first, *others = summary(statistics, dataset)
    for line in (f"{what}: {first}", *others):
        progress.say(line)
    other_keys = keys_like_labels(paths[0], dataset) if paths and use.labels and not statistics.labels else []
    found = list(find_anomalies(statistics, dataset, use, other_keys))
    for anomaly in found:
        if not anomaly.is_error:
            progress.say(f"warning: {anomaly.message}")
    return [anomaly.message for anomaly in found if anomaly.is_error]


def copy_errors(paths: Sequence[DataPath]) -> list[str]:
    """What is said about shards that are copies of others; empty if there are none."""
    found = dict(_copies(paths))
    if not found:
        return []
    copy, original = next(iter(found.items()))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return [f"{copy} is a copy of {original.name}{more}: move it away, or its videos count twice"]


def _copies(paths: Sequence[DataPath]) -> Iterator[tuple[DataPath, DataPath]]:
    """Yield each copy among the shards with its original, by name, or by size and first bytes."""
    for path in paths:
        named = _COPY.fullmatch(path.stem)
        if named and (original := path.with_name(f"{named[1]}{path.suffix}")) in paths:
            yield path, original
    for _, group in groupby(sorted(paths, key=lambda path: (size_of(path), len(path.name))), size_of):
        heads: dict[bytes, DataPath] = {}
        equal = list(group)
        for path in equal if len(equal) > 1 else []:
            original = heads.setdefault(_head(path), path)
            if original != path:
                yield path, original


def _head(path: DataPath) -> bytes:
    """The first bytes of a shard; of one in an object store, its digest."""
    if isinstance(path, StorePath):
        return (path.known().md5 or path.known().version).encode()
    with path.open("rb") as file:
        return file.read(_HEAD)
