"""Download the weights of published networks: the checkpoint of VGGish and the Inception graph of 2015."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from yt8m_kit.data.download.mirrors import Mirrors, RetryPolicy
from yt8m_kit.data.download.transfer import TransferProgress, fetch, fetch_small
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.checksums import check_checksum, write_with_checksum
from yt8m_kit.stores.path import DataPath, P

STORAGE = "https://storage.googleapis.com"
_GRAPH = "classify_image_graph_def.pb"
_ARCHIVE = "download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
_TENSORS = (b"DecodeJpeg", b"pool_3/_reshape")  # that frames go into and features come from
_POLICY = RetryPolicy()


class Checkpoint(NamedTuple):
    """A file by its name on the server, its MD5 in hex and its name on disk."""

    remote: str
    md5: str
    local: str


VGGISH = Checkpoint("vggish_model.ckpt", "d1c7011e6366aa34176bb05c705e31a8", "vggish_model.ckpt")


def download_vggish(data: DataPath, urls: Sequence[str], policy: RetryPolicy = _POLICY) -> Path:
    """Download vggish_model.ckpt to `data`, checked by its MD5; an interrupted download is resumed.

    A present file is kept. Raises UsageError for an object store, KitError if no server has the file, the
    disk is full or another process is downloading it.
    """
    if not isinstance(data, Path):
        raise UsageError(f"--data must be a local folder for vggish, which is resumed; got {data}.")
    path, mirrors = data / VGGISH.local, Mirrors(urls, policy)
    try:
        data.mkdir(parents=True, exist_ok=True)
        with progress.bar(None, f"download {VGGISH.local}", "B") as bar, mirrors.session() as session:
            outcome = fetch(VGGISH, data, "audioset", session, mirrors, _Shown(bar))
    except OSError as error:
        raise KitError(f"cannot write {path}: {error.strerror or error}.") from error
    if outcome.state == "busy":
        raise KitError(f"another process downloads {path}. Wait for it or stop it.")
    if outcome.state == "missing":
        raise KitError(f"cannot get audioset/{VGGISH.remote}: {outcome.reason}.")
    return path


class _Shown(TransferProgress):
    """The bytes of one file in a bar."""

    def __init__(self, bar: Any):
        self._bar = bar

    def set_total(self, size: int) -> None:
        self._bar.total = size

    def advance(self, size: int) -> None:
        self._bar.update(size)


def download_inception(data: P, urls: Sequence[str], policy: RetryPolicy = _POLICY) -> P:
    """Download classify_image_graph_def.pb to `data`, of the archive it was published in.

    A present file is kept if it is whole. Only this member is read, and nothing else of the archive is
    written. Raises KitError if no server has it, or a present file is another one or damaged.
    """
    path = cast("P", data / _GRAPH)
    if not path.exists():
        write_with_checksum(path, graph(fetch_small(_ARCHIVE, Mirrors(urls, policy), graph)))
    check_checksum(path)
    if not _is_graph(path.read_bytes()):
        raise KitError(f"{path} has no DecodeJpeg and pool_3/_reshape. Delete it and download it again.")
    return path


def _is_graph(content: bytes) -> bool:
    return all(name in content for name in _TENSORS)


def graph(content: bytes) -> bytes:
    """The frozen graph in an archive. Raises DataError for a damaged one, and one without the graph."""
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
            files = (archive.extractfile(each) for each in archive if each.isfile() and each.name == _GRAPH)
            found = next((file.read() for file in files if file), b"")
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise DataError(f"not an archive, or a damaged one: it begins with {content[:40]!r}") from None
    if not _is_graph(found):
        raise DataError(f"the archive has no {_GRAPH} with DecodeJpeg and pool_3/_reshape")
    return found
