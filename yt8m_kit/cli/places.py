"""Where records and runs are: arguments that every verb shares."""

import os
from pathlib import Path
from typing import Literal

from yt8m_kit.recipe import Recipe, load

Split = Literal["train", "validate", "test"]


def data_place(data: Path | None, dataset: str) -> Path:
    """The folder of a data set: `data`, or $YT8M_DATA, or data/DATASET."""
    return data or Path(os.environ.get("YT8M_DATA", Path("data") / dataset))


def runs_place(runs: Path | None) -> Path:
    """Where runs are kept: `runs`, or $YT8M_RUNS, or runs."""
    return runs or Path(os.environ.get("YT8M_RUNS", "runs"))


def places(recipe: str, data: Path | None, runs: Path | None) -> tuple[Recipe, Path, Path]:
    """The recipe of that name, where its records are, and where runs are kept."""
    loaded = load(recipe)
    return loaded, data_place(data, loaded.dataset.name), runs_place(runs)
