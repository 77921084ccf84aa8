"""Weights given by path or by URL."""

import hashlib
from pathlib import Path

from yt8m_kit.errors import UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import check_checksum, write_with_checksum
from yt8m_kit.stores.path import DataPath


def place(given: DataPath | None, folder: Path) -> Path | None:
    """The path of weights; of a URL, that of its copy in `folder`, named by a digest of the URL."""
    if given is None or isinstance(given, Path):
        return given
    name = given.name.partition("?")[0]
    return folder / f"{hashlib.sha256(str(given).encode()).hexdigest()[:8]}-{name}"


def fetch(given: DataPath | None, folder: Path) -> None:
    """Copy weights given by URL to their place, once; a copy is kept, which is said.

    What follows a question mark in the URL may be a secret and is not stored.
    Raises UsageError if there is no such file, StoreError if the server does not answer, KitError if the copy
    is not as it was written.
    """
    kept = place(given, folder)
    if kept is None or given is None or isinstance(given, Path):
        return
    url = str(given).partition("?")[0]
    if kept.exists():
        check_checksum(kept)
        progress.say(f"{kept} is the copy of {url}; delete it to fetch it again")
        return
    try:
        with progress.work("download", url) as finish:
            content = given.read_large()
            folder.mkdir(parents=True, exist_ok=True)
            write_with_checksum(kept, content)
            finish(f"{progress.amount(len(content))} in {kept}")
    except FileNotFoundError:
        raise UsageError(f"no file {url}.") from None
