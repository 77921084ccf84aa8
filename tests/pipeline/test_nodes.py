"""What a node of a cluster must have is checked before any stage starts, and said in one sentence."""

import shutil

import pytest

from yt8m_kit.pipeline.engines.on_node import Site, fault_of_node
from yt8m_kit.recipe import load

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def site(tiny_data, tmp_path):
    data, token = tmp_path / "data", tmp_path / "runs" / ".driver"
    shutil.copytree(tiny_data.path, data)
    token.parent.mkdir()
    token.touch()
    return Site.here(load("tiny"), data, ["train", "test"], token, {})


def test_a_node_that_has_everything_is_taken(site):
    assert len(site.shards) == 4
    assert fault_of_node(site) == ""


def test_a_node_without_a_shard_is_refused(site):
    gone = [*site.shards][-1]
    gone.unlink()
    assert fault_of_node(site) == (
        f"does not have {gone}: mount the records there, or name their folder by --data"
    )


def test_a_node_with_another_shard_is_refused(site):
    longer = next(iter(site.shards))
    size = longer.stat().st_size
    with longer.open("ab") as file:
        file.write(b"more")
    assert fault_of_node(site) == f"has another {longer}: {size + 4:,} bytes, not {size:,}"


def test_a_node_without_the_folder_of_runs_is_refused(site):
    site.token.unlink()
    assert f"does not have the folder of runs {site.token.parent}: mount it" in fault_of_node(site)


def test_a_node_with_another_version_is_refused(site):
    assert "not 0.0.1: install the same version" in fault_of_node(site._replace(version="0.0.1"))


def test_a_node_with_another_recipe_is_refused(site, tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    assert fault_of_node(site).startswith("cannot load the recipe: ")
    (tmp_path / "tiny.py").write_text(
        "from yt8m_kit.dataset import DEMO\nfrom yt8m_kit.recipe import Member, Recipe\n"
        'RECIPE = Recipe("tiny", "another", DEMO, {"a": Member("frame_logistic", steps=1)}, {})\n'
    )
    assert fault_of_node(site) == "has another recipe tiny: share the folder YT8M_RECIPES"
