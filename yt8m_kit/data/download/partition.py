"""The official partitions of YouTube-8M: their files, local file names, and how shares are assigned.

Source: data.yt8m.org/download.py. A plan is {"files": {"trainaa.tfrecord": "<md5 hex>", ...}}, without sizes.
"""

import hashlib
import json
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.stores.path import P

_DIGITS = string.ascii_lowercase + string.ascii_uppercase + string.digits
_NAME = re.compile(r"([a-z]+)([a-zA-Z0-9])([a-zA-Z0-9])\.tfrecord")
_MD5 = re.compile(r"[0-9a-f]{32}")
_PUBLISHED = {"2": ("train", "validate", "test"), "3": ("validate", "test")}  # splits by version


class Shard(NamedTuple):
    """A file of a partition: its name on the server and the MD5 of its contents, in hex."""

    remote: str
    md5: str

    @property
    def local(self) -> str:
        """Its name on disk, the two characters as a number (aa 0, 99 3843): aa and aA may collide on disk."""
        match = _NAME.fullmatch(self.remote)
        assert match is not None  # checked by parse_plan
        split, high, low = match.groups()
        return f"{split}{_DIGITS.index(high) * len(_DIGITS) + _DIGITS.index(low):04d}.tfrecord"


@dataclass(frozen=True)
class Partition:
    """Version "2" (2018) or "3" (2019, rated segments), level "frame" or "video", and split.

    Raises UsageError for a partition that was never published.
    """

    version: str
    level: str
    split: str

    def __post_init__(self) -> None:
        splits = _PUBLISHED.get(self.version)
        if splits is None:
            raise UsageError(f"version must be one of {', '.join(_PUBLISHED)}; got {self.version}.")
        if self.split not in splits:
            raise UsageError(f"version {self.version} has {' and '.join(splits)}; got {self.split}.")
        if self.level not in ("frame", "video"):
            raise UsageError(f"level must be frame or video; got {self.level}.")
        if self.version == "3" and self.level != "frame":
            raise UsageError(f"version 3 has only level frame; got {self.level}.")

    def __str__(self) -> str:
        return f"{self.version}/{self.level}/{self.split}"

    def folder(self, data: P) -> P:
        """Folder of its files below `data`, as on the servers; splits.find searches it."""
        return cast("P", data / self.version / self.level / self.split)

    @property
    def plan(self) -> str:
        """Path of its download plan, on the servers and below `data`."""
        return f"{self.version}/download_plans/{self.level}_{self.split}.json"


def parse_plan(text: bytes) -> list[Shard]:
    """Parse the files of a plan, sorted by local name.

    Raises DataError for any other text, such as the error page of a server.
    """
    try:
        files = json.loads(text)["files"]
        shards = [Shard(str(name), str(md5)) for name, md5 in files.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f"not a download plan: it begins with {text[:40]!r}") from None
    for shard in shards:
        if not (_NAME.fullmatch(shard.remote) and _MD5.fullmatch(shard.md5)):
            entry = f"{shard.remote[:40]!r} with MD5 {shard.md5[:40]!r}"
            raise DataError(f"not a download plan: it lists {entry}")
    if not shards:
        raise DataError("not a download plan: it lists no files")
    return sorted(shards, key=lambda shard: shard.local)


def select(shards: Sequence[Shard], share: tuple[int, int] | None, limit: int | None) -> list[Shard]:
    """Select the X-th of Y shares, assigned as by the official script, and the first `limit` files of it.

    Raises UsageError if no file is left.
    """
    chosen = list(shards)
    if share:
        x, y = share
        chosen = [shard for shard in chosen if _hash(shard.remote) % y == x - 1]
    chosen = chosen[:limit]
    if not chosen:
        asked = f"--shard={share[0]},{share[1]} " if share else ""
        raise UsageError(f"{asked}--limit={limit} leaves no file of {len(shards)}.")
    return chosen


def _hash(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)


def parse_share(text: str | None) -> tuple[int, int] | None:
    """Parse "X,Y" with 1 <= X <= Y. Raises UsageError for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+),(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard must be X,Y with 1 <= X <= Y, as in --shard=1,100; got {text!r}.")
    return int(match[1]), int(match[2])
