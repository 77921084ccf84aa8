"""Data for the tests: a small synthesized set, and the real records where they are at hand."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

# Before anything imports it: no greetings on stderr.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from yt8m_kit.data.synthesize import DEMO, synthesize
from yt8m_kit.spec import Dataset

RECIPES = Path(__file__).parent / "recipes"
REAL_DATA = Path(os.environ.get("YT8M_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


class TinyData(NamedTuple):
    """dataset: what the records look like. path: the folder with the shards of train, validate and test."""

    dataset: Dataset
    path: Path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real records (audioset/, yt8m_video/, odd_records/, expand_frames.py)."""
    if not (REAL_DATA / "audioset").is_dir():
        pytest.skip(f"no real records in {REAL_DATA}; set YT8M_TEST_DATA to their folder")
    return REAL_DATA


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> TinyData:
    """60 + 40 + 40 synthesized videos, two shards a split; to be read, not changed."""
    path = tmp_path_factory.mktemp("tiny")
    synthesize(path, train=60, validate=40, test=40, shards=2)
    return TinyData(DEMO, path)


@pytest.fixture
def tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes of the tests in place of those that ship."""
    monkeypatch.setenv("YT8M_RECIPES", str(RECIPES))


@pytest.fixture(scope="session")
def tiny_runs(tiny_data: TinyData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the tiny recipe, not to be changed: members trained, averaged, evaluated; blend searched."""
    from yt8m_kit.cli import main

    runs = tmp_path_factory.mktemp("runs")
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    verbs = ("train", "average", "evaluate")
    stages = [[verb, "tiny", name] for name in ("logistic", "netvlad") for verb in verbs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for stage in [*stages, ["ensemble", "tiny", "blend"]]:
            assert main([*stage, *places]) == 0
    return runs
