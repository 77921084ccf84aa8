"""Folders of records and runs: arguments that the verbs share."""

from pathlib import Path
from typing import Literal

from yt8m_kit.machine.home import folder_of
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

Split = Literal["train", "validate", "test"]


def data_place(data: Path | None, dataset: str) -> Path:
    """Return the folder of a data set: `data`, else $YT8M_DATA, else data/DATASET."""
    return data or folder_of("YT8M_DATA", Path("data") / dataset)


def runs_place(runs: Path | None) -> Path:
    """Return the folder of all runs: `runs`, else $YT8M_RUNS, else runs."""
    return runs or folder_of("YT8M_RUNS", Path("runs"))


def experiment(recipe: str, data: Path | None = None, runs: Path | None = None) -> Experiment:
    """Load a recipe with its folders of records and runs; UsageError lists the recipes that exist."""
    loaded = load(recipe)
    return Experiment(loaded, data_place(data, loaded.dataset.name), runs_place(runs))
