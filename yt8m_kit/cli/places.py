"""Arguments that the verbs share: folders of records and runs, a part of a split."""

import os
from pathlib import Path
from typing import Literal

from yt8m_kit.errors import UsageError
from yt8m_kit.pipeline.part import Part
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

Split = Literal["train", "validate", "test"]


def data_place(data: Path | None, dataset: str) -> Path:
    """Return the folder of a data set: `data`, else $YT8M_DATA, else data/DATASET."""
    return data or Path(os.environ.get("YT8M_DATA", Path("data") / dataset))


def runs_place(runs: Path | None) -> Path:
    """Return the folder of all runs: `runs`, else $YT8M_RUNS, else runs."""
    return runs or Path(os.environ.get("YT8M_RUNS", "runs"))


def experiment(recipe: str, data: Path | None = None, runs: Path | None = None) -> Experiment:
    """Load a recipe with its folders of records and runs; UsageError lists the recipes that exist."""
    loaded = load(recipe)
    return Experiment(loaded, data_place(data, loaded.dataset.name), runs_place(runs))


def part_of(part: str | None, anew: bool) -> Part | None:
    """Parse --part; UsageError if it is not K/N or comes with --anew, which is for whole products."""
    if part is not None and anew:
        raise UsageError("--anew starts a whole product over; run it without --part.")
    return None if part is None else Part.parse(part)
