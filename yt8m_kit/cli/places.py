"""Arguments that the verbs share: folders of records and runs, a part of a split."""

import os
from pathlib import Path
from typing import Literal, get_args

from yt8m_kit.errors import UsageError
from yt8m_kit.machine.home import folder_of
from yt8m_kit.pipeline.part import Part
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment
from yt8m_kit.stores import cache
from yt8m_kit.stores.path import DataPath, StorePath, data_path
from yt8m_kit.trial import Trial

Split = Literal["train", "validate", "test"]


def data_place(data: DataPath | None, dataset: str) -> DataPath:
    """Return the folder or URL of a data set: `data`, else $YT8M_DATA, else data/DATASET."""
    return data or data_path(os.environ.get("YT8M_DATA") or f"data/{dataset}")


def runs_place(runs: Path | None) -> Path:
    """Return the folder of all runs: `runs`, else $YT8M_RUNS, else runs."""
    return runs or folder_of("YT8M_RUNS", Path("runs"))


def experiment(
    recipe: str,
    data: DataPath | None = None,
    runs: Path | None = None,
    *,
    steps: int | None = None,
    limit_videos: int | None = None,
    reads: bool = True,
) -> Experiment:
    """Load a recipe with its folders of records and runs; UsageError lists the recipes that exist.

    steps, limit_videos: limits of a small trial; None for both: the real run. reads: the verb reads records;
    if they are in an object store, it is asked for them. Raises UsageError if it has none or there are no
    credentials, StoreError if it cannot be reached.
    """
    loaded = load(recipe)
    place = data_place(data, loaded.dataset.name)
    if reads and isinstance(place, StorePath):
        _check_store(place)
    found = Experiment(loaded, place, runs_place(runs))
    trial = Trial(steps, limit_videos)
    return found.limited(trial) if trial.limits() else found


def part_of(part: str | None, anew: bool) -> Part | None:
    """Parse --part; UsageError if it is not K/N or comes with --anew, which is for whole products."""
    if part is not None and anew:
        raise UsageError("--anew starts a whole product over; run it without --part.")
    return None if part is None else Part.parse(part)


def _check_store(place: StorePath) -> None:
    from yt8m_kit.data.loader import splits

    cache.from_environment()
    reasons = []
    for split in get_args(Split):
        try:
            splits.find(place, split)
        except UsageError as error:
            reasons.append(error)
    if len(reasons) == len(get_args(Split)):
        raise reasons[0]
