"""A Ray cluster of two nodes on this machine, whose disks are slow enough to lose a node in a stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ray_nodes import TwoNodes
from tests.support.recipes import RECIPES

ROOT = Path(__file__).parents[3]
SLOW_DISK = """
import os, time
fsync = os.fsync
def slow(file):
    time.sleep(0.1)
    fsync(file)
os.fsync = slow
"""


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory) -> Iterator[TwoNodes]:
    utils = pytest.importorskip("ray.cluster_utils", reason="in the extra ray")
    slow = tmp_path_factory.mktemp("slow_disk")
    (slow / "sitecustomize.py").write_text(SLOW_DISK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{slow}:{ROOT}")
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.delenv("YT8M_DATA")
        started = TwoNodes(utils.Cluster)
        yield started
        started.cluster.shutdown()
