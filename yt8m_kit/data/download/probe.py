"""How large files are and how fast they come, from a look at some of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from yt8m_kit.data.download.mirrors import AttemptError, Mirrors, RefusedError, body
from yt8m_kit.errors import KitError

_SAMPLE = 4 << 20  # bytes of each file that are timed
_LOOKS = 3  # attempts at a file


def probe(paths: Sequence[str], mirrors: Mirrors, *, timed: bool) -> tuple[float | None, float | None]:
    """Mean size in bytes of these files and, if timed, bytes a second of all together; None: unknown.

    They are asked for at the same time, over a connection each.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(len(paths), "probe") as pool:
        try:
            looks = list(pool.map(lambda path: _look(path, mirrors, _SAMPLE if timed else 1), paths))
        except BaseException:
            mirrors.stop()
            raise
    seconds = time.monotonic() - began
    sizes = [size for size, _ in looks if size]
    if not sizes:
        return None, None
    received = sum(received for _, received in looks)
    return sum(sizes) / len(sizes), received / seconds if timed else None


def _look(path: str, mirrors: Mirrors, sample: int) -> tuple[int, int]:
    """Size of a file (0: unknown) and bytes received of its first `sample`."""
    usable = list(mirrors.all)
    with mirrors.session() as session:
        for _ in range(_LOOKS):
            try:
                mirror = mirrors.choose(usable)
                with mirrors.get(session, mirror, path, {"Range": f"bytes=0-{sample - 1}"}) as response:
                    received = 0
                    for piece in body(response, mirrors.patience):
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
