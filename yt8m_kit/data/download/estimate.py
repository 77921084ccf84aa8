"""Size and duration of a download, and whether the disk has room for it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.partition import Partition, Shard
from yt8m_kit.data.download.probe import probe
from yt8m_kit.errors import UsageError
from yt8m_kit.output import progress
from yt8m_kit.stores.path import DataPath


class Estimate(NamedTuple):
    """Mean bytes per file, bytes left to download, bytes a second; None: unknown."""

    mean: float | None = None
    left: float | None = None
    rate: float | None = None


def estimate(
    wanted: Sequence[Shard],
    folder: DataPath,
    partition: Partition,
    urls: Sequence[str],
    connections: int,
    policy: RetryPolicy,
    *,
    timed: bool,
) -> Estimate:
    """Estimate from a sample of the files, one per connection."""
    if not wanted:
        return Estimate(0.0, 0.0)
    step = -(-len(wanted) // connections)
    paths = [f"{partition}/{shard.remote}" for shard in wanted[::step]]
    mean, rate = probe(paths, Mirrors(urls, policy), timed=timed)
    if mean is None:
        return Estimate()
    received = 0
    if isinstance(folder, Path):
        parts = [folder / f"{shard.local}.part" for shard in wanted]
        received = sum(part.stat().st_size for part in parts if part.exists())
    return Estimate(mean, max(0.0, mean * len(wanted) - received), rate)


def free_space(folder: Path) -> int:
    """Free bytes on the disk of the folder, which may not exist yet."""
    return shutil.disk_usage(
        next(path for path in (folder, *folder.absolute().parents) if path.exists())
    ).free


def check_space(expected: Estimate, folder: Path) -> None:
    """Raise UsageError where the disk is too small for what is left to download."""
    free = free_space(folder)
    if expected.left is not None and expected.left > free:
        raise UsageError(
            f"about {progress.amount(expected.left)} to download, {folder} has {progress.amount(free)} free: "
            "choose fewer files with --shard or --limit, or another disk with --data."
        )


def forecast(files: int, expected: Estimate, connections: int, free: int | None) -> str:
    """What a download would fetch, in one line. free: bytes of the disk, None where there is no limit."""
    room = "" if free is None else f"; {progress.amount(free)} free"
    if expected.left is None:
        return f"{files} to download, of unknown size: no mirror responds{room}"
    pace = ""
    if expected.rate:
        needed = progress.duration(expected.left / expected.rate)
        pace = f", about {needed} at {progress.amount(expected.rate)}/s over {connections} connections"
    return f"{files} to download, about {progress.amount(expected.left)}{pace}{room}"
