"""Shards on a loopback web server, requested with short deadlines and waits."""

from types import SimpleNamespace

import pytest

from tests.fakes.mirror import Mirror
from tests.support.stores import hurry, verified_shards
from yt8m_kit.data.loader import splits
from yt8m_kit.stores.path import StorePath


@pytest.fixture
def web(tmp_path, monkeypatch):
    """server: a web server. local: five shards. stored: the same shards on the server."""
    hurry(monkeypatch)
    folder = tmp_path / "shards"
    folder.mkdir()
    with Mirror(verified_shards(folder)) as server:
        stored = splits.find(StorePath.of(server.url), "train")
        server.seen.clear()
        yield SimpleNamespace(server=server, local=splits.find(folder, "train"), stored=stored)
