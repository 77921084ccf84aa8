"""An exported blend with names for two classes, a server of it, and the graph itself."""

import shutil

import pytest

from tests.support.recipes import RECIPES
from tests.support.serving import Server


@pytest.fixture(scope="session")
def served_runs(tiny_runs, tmp_path_factory):
    """Runs with the exported blend; not to be changed."""
    from yt8m_kit.cli.main import main

    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(tiny_runs, folder / "runs")
    (folder / "vocabulary.csv").write_text("Index,Name\n0,Game\n2,Vehicle\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        assert main(["export", "tiny", "blend", f"--runs={folder / 'runs'}", f"--data={folder}"]) == 0
    return folder / "runs"


@pytest.fixture(scope="session")
def server(served_runs):
    """A server that waits half a second for requests on their way."""
    with Server(served_runs, "--wait=500", "--body=8") as started:
        yield started


@pytest.fixture(scope="session")
def graph(served_runs):
    """The signatures of the exported graph."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(served_runs / "tiny/blend/graph"))
    yield loaded.signatures
    del loaded
