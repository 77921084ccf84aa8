"""Check a sample of the splits that stages are about to read, before frameworks are imported."""

from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import check_sample
from yt8m_kit.pipeline.messages.beginning import announce
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection


def check_splits(*stages: Stage, anew: bool = False) -> None:
    """Announce stages of a verb and check samples of the splits that they read, each split once.

    Nothing for a stage whose product exists. Raises DataError for records that they cannot use, UsageError
    for missing shards or inputs.
    """
    stages = tuple(stage for stage in stages if anew or not stage.main.exists())
    for stage in stages:
        Inspection(stage).check_needs(stage)
    readers = {split: stage for stage in stages for split in stage.reads}
    paths = {split: paths_of(stage.experiment, split) for split, stage in readers.items()}
    for stage in stages:
        announce(stage, anew=anew)
    for split, stage in readers.items():
        use = Use(labels=stage.verb in ("train", "evaluate"), unique=stage.verb == "predict")
        check_sample(paths[split], stage.experiment.recipe.dataset, split, use)
