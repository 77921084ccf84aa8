"""Download the label names and the PCA of the visual features."""

import io
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from yt8m_kit.data.download.download import Sources
from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.transfer import fetch_small
from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import DataError
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.stores.path import P

_LABELS = {"2": "youtube8m/csv/2/vocabulary.csv", "3": "youtube8m/csv/segments/vocabulary.csv"}
_PCA = "yt8m_pca.tgz"
_MATRICES = {"mean.npy", "eigenvals.npy", "eigenvecs.npy"}
_POLICY = RetryPolicy()


def download_vocabulary(data: P, version: str, origin: Sources, policy: RetryPolicy = _POLICY) -> P:
    """Download vocabulary.csv to `data`: the 3,862 classes of version "2", the 1,000 rated ones of "3".

    A present file is kept. Raises KitError if no server has it.
    """
    return _fetch(
        cast("P", data / vocabulary.FILE), _LABELS[version], origin.labels, vocabulary.parse, policy
    )


def download_pca(data: P, origin: Sources, policy: RetryPolicy = _POLICY) -> P:
    """Download yt8m_pca.tgz to `data`: mean.npy, eigenvals.npy and eigenvecs.npy of the feature extractor.

    A present file is kept. Raises KitError if no server has it.
    """
    return _fetch(cast("P", data / _PCA), _PCA, origin.plans, _check_pca, policy)


def _fetch(
    path: P, remote: str, urls: Sequence[str], check: Callable[[bytes], object], policy: RetryPolicy
) -> P:
    if not path.exists():
        write_with_checksum(path, fetch_small(remote, Mirrors(urls, policy), check))
    return path


def _check_pca(content: bytes) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names = {Path(member.name).name for member in archive if member.isfile()}
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise DataError(f"not an archive: it begins with {content[:40]!r}") from None
    if not names >= _MATRICES:
        raise DataError(f"the archive lacks {', '.join(sorted(_MATRICES - names))}")
