"""The task of 2019: rank segments of five frames per class; MAP@100,000."""

from pathlib import Path

from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.inference.predictor import load_graph, predictor
from yt8m_kit.inference.sweep import BATCH, Predict
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_json
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment
from yt8m_kit.segments.ranking import TOP, rank
from yt8m_kit.segments.records import Ratings, read_ratings, segment_batches
from yt8m_kit.segments.scoring import score, write_csv
from yt8m_kit.stores.path import DataPath


def predict_segments(
    experiment: Experiment, name: str, *, split: str = "validate", strict: bool = False, anew: bool = False
) -> Path:
    """Write segments.SPLIT.csv, the best 100,000 segments per class, and its score if segments are rated.

    The classes are those of DATA/vocabulary.csv, else the rated ones. Predicts with the exported graph, or
    with a member's averaged weights if there is none. Returns the CSV; the score is in SPLIT.segments.json.
    Raises UsageError if a file of an earlier stage is missing or the classes are unknown.
    """
    stages = Stages(experiment)
    stage, dataset = stages.segments(name, split), experiment.recipe.dataset
    with working(stage, anew=anew) as job:
        if job.is_done:
            return stage.main
        paths = paths_of(experiment, split)
        faults = Faults(dataset.max_skipped, splits.count(paths))
        ratings = read_ratings(paths, dataset, faults, strict=strict)
        classes = _classes(experiment.data, ratings, dataset.classes)
        found = segment_batches(paths, dataset, BATCH, strict=strict, faults=faults)
        ids, ranking = rank(
            _predictor(experiment, name, stage), found, classes, f"segments {name}", faults=faults
        )
        with job.writing() as temporary:
            write_csv(temporary, ids, ranking)
            if ratings:
                job.figures = {
                    f"MAP@{TOP:,}": _scored(temporary, ratings, stage.run.evaluation(split, "segments"))
                }
    if faults:
        progress.say(faults.summary())
    return stage.main


def _scored(csv: Path, ratings: Ratings, scores: Path) -> float:
    found = score(csv, ratings)
    write_json(scores, found)
    progress.say(f"MAP@{TOP:,} {found['map']:.4f}")
    return float(found["map"])


def _classes(data: DataPath, ratings: Ratings, classes: int) -> list[int]:
    """The classes to predict, ascending."""
    path = data / vocabulary.FILE
    chosen = (
        sorted(vocabulary.read(path, classes)) if path.exists() else sorted({label for _, label in ratings})
    )
    if not chosen:
        raise UsageError(
            "the split has no rated segments that would tell the classes: "
            f"`yt8m download vocabulary --version=3 --data={data}` downloads the classes of 2019."
        )
    if chosen[-1] >= classes:
        raise KitError(f"{path} has class {chosen[-1]}; the data set has {classes} classes.")
    return chosen


def _predictor(experiment: Experiment, name: str, stage: Stage) -> Predict:
    [source] = stage.needs
    if source.verb == "average":
        return predictor(averaged_model(experiment, name))
    graph = load_graph(verified(source), "serving_default")
    return lambda batch: graph(batch)["probabilities"]
