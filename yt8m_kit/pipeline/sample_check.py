"""Check a sample of the splits that a stage is about to read, before frameworks are imported."""

from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import check_sample
from yt8m_kit.pipeline.messages.beginning import announce
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection


def check_splits(stage: Stage, *, anew: bool = False) -> None:
    """Announce a stage and check samples of the splits that it reads; nothing where its product exists.

    Raises DataError for records that it cannot use, UsageError for missing shards or inputs.
    """
    if stage.main.exists() and not anew:
        return
    Inspection(stage).check_needs(stage)
    paths = {split: paths_of(stage.experiment, split) for split in stage.reads}
    announce(stage, anew=anew)
    use = Use(labels=stage.verb in ("train", "evaluate"), unique=stage.verb == "predict")
    experiment = stage.experiment
    for split in stage.reads:
        check_sample(paths[split], experiment.recipe.dataset, split, use)
