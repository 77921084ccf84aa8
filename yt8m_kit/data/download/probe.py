"""Estimate file sizes and throughput from a sample of files."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from yt8m_kit.data.download.mirrors import AttemptError, Mirrors, RefusedError, stream_body
from yt8m_kit.errors import KitError

_SAMPLE = 4 << 20  # bytes of each file whose transfer is timed
_TRIES = 3  # attempts per file


def probe(paths: Sequence[str], mirrors: Mirrors, *, timed: bool) -> tuple[float | None, float | None]:
    """Return the mean size of the files in bytes and, if timed, their total bytes a second; None: unknown.

    All files are requested concurrently, one connection each.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(len(paths), "probe") as pool:
        try:
            found = list(pool.map(lambda path: _probe_file(path, mirrors, _SAMPLE if timed else 1), paths))
        except BaseException:
            mirrors.cancel()
            raise
    seconds = time.monotonic() - began
    sizes = [size for size, _ in found if size]
    if not sizes:
        return None, None
    received = sum(received for _, received in found)
    return sum(sizes) / len(sizes), received / seconds if timed else None


def _probe_file(path: str, mirrors: Mirrors, sample: int) -> tuple[int, int]:
    """Return the size of a file (0: unknown) and the bytes received of its first `sample`."""
    usable = list(mirrors.all)
    with mirrors.session() as session:
        for _ in range(_TRIES):
            try:
                mirror = mirrors.choose(usable)
                with mirrors.get(session, mirror, path, {"Range": f"bytes=0-{sample - 1}"}) as response:
                    received = 0
                    for piece in stream_body(response, mirrors.policy):
                        received += len(piece)
                        if received >= sample:
                            break
                    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
                    size = whole or response.headers.get("Content-Length", "")
                    return int(size) if size.isdigit() else 0, received
            except RefusedError:
                usable.remove(mirror)
                if not usable:
                    break
            except (AttemptError, KitError):
                continue
    return 0, 0
