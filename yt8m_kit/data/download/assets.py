"""What goes with the records: the names of the labels, and the PCA of the visual features."""

import io
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from yt8m_kit.data.download.download import Sources
from yt8m_kit.data.download.mirrors import Mirrors, Patience
from yt8m_kit.data.download.transfer import fetch_small
from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import DataError
from yt8m_kit.output.files import write_shared

_LABELS = {"2": "youtube8m/csv/2/vocabulary.csv", "3": "youtube8m/csv/segments/vocabulary.csv"}
_PCA = "yt8m_pca.tgz"
_MATRICES = {"mean.npy", "eigenvals.npy", "eigenvecs.npy"}
_PATIENCE = Patience()


def download_vocabulary(data: Path, version: str, origin: Sources, patience: Patience = _PATIENCE) -> Path:
    """vocabulary.csv below `data`: 3,862 classes of version "2", the 1,000 rated ones of "3".

    One that is there is left alone. Raises KitError if it cannot be had.
    """
    return _bring(data / vocabulary.FILE, _LABELS[version], origin.labels, vocabulary.parse, patience)


def download_pca(data: Path, origin: Sources, patience: Patience = _PATIENCE) -> Path:
    """yt8m_pca.tgz below `data`: mean.npy, eigenvals.npy and eigenvecs.npy of the feature extractor.

    One that is there is left alone. Raises KitError if it cannot be had.
    """
    return _bring(data / _PCA, _PCA, origin.plans, _check_pca, patience)


def _bring(
    path: Path, remote: str, urls: Sequence[str], check: Callable[[bytes], object], patience: Patience
) -> Path:
    if not path.exists():
        write_shared(path, fetch_small(remote, Mirrors(urls, patience), check))
    return path


def _check_pca(content: bytes) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            names = {Path(member.name).name for member in archive if member.isfile()}
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise DataError(f"no archive: it begins with {content[:40]!r}") from None
    if not names >= _MATRICES:
        raise DataError(f"the archive lacks {', '.join(sorted(_MATRICES - names))}")
