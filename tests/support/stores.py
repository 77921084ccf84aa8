"""Small shards in an object store, and the digest of what is read from it."""

import hashlib

from tests.support.small_shards import SMALL, five_shards
from yt8m_kit.data.download.download import sources
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.verify import verify
from yt8m_kit.stores import filesystem, path, request
from yt8m_kit.stores.request import RetryPolicy

NOWHERE = sources(urls="http://127.0.0.1:1")
SOON = RetryPolicy(connect=2, seconds=0.5, attempts=6, refusals=2, backoff=0.02, max_backoff=0.1)
TRAINING = {"seed": 3, "mix": 2, "epochs": 2, "reuse": 1}


def verified_shards(folder):
    """The files of a folder with five shards of 53 videos and their manifest, by name."""
    verify(five_shards(folder), SMALL, NOWHERE)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def hurry(monkeypatch, policy=SOON):
    """Requests with short deadlines and waits, and nothing known of stores of other tests."""
    monkeypatch.setattr(request, "COPY", policy)
    monkeypatch.setattr(request, "LIST", policy)
    monkeypatch.delenv("YT8M_CACHE", raising=False)
    forget()


def forget():
    """Forget listings and small objects, as a new process does."""
    path.forget()


def reconnect():
    """Connect anew, with the credentials and addresses of now."""
    filesystem._filesystem.cache_clear()
    forget()


def digest_of_epochs(paths, **arguments):
    """MD5 of all batches of two shuffled epochs: frames, labels, ids, positions."""
    digest = hashlib.md5(usedforsecurity=False)
    for batch in read_batches(paths, SMALL, 7, **(TRAINING | arguments)):
        digest.update(batch.frames.tobytes() + batch.labels.tobytes())
        digest.update(repr((batch.num_frames.tolist(), batch.ids, batch.position)).encode())
    return digest.hexdigest()
