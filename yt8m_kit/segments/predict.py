"""The task of 2019: for each class the segments of five frames that show it, best first; MAP@100,000."""

# S segments, C classes, W classes that are predicted

from contextlib import closing
from pathlib import Path

from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.inference.predictor import load_graph, predictor
from yt8m_kit.inference.sweep import BATCH, Predict
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_json
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment, Run
from yt8m_kit.segments.ranking import TOP, rank
from yt8m_kit.segments.records import Ratings, read_ratings, segment_batches
from yt8m_kit.segments.scoring import score, write_csv


def predict_segments(
    experiment: Experiment, name: str, *, split: str = "validate", strict: bool = False
) -> Path:
    """Write segments.SPLIT.csv, the best 100,000 segments of each class, and score it where they are rated.

    Classes are those of DATA/vocabulary.csv, else the rated ones. Takes the exported graph, else a member's
    averaged weights. Returns the file of scores, or the CSV where nothing is rated.
    """
    recipe, data, run = experiment.recipe, experiment.data, experiment.run(name)
    out, scores = run.path / f"segments.{split}.csv", run.evaluation(split, "segments")
    if scores.exists():
        return scores
    paths = splits.find(data, split)
    faults = Faults()
    ratings = read_ratings(paths, recipe.dataset, faults, strict=strict)
    classes = _classes(data, ratings, recipe.dataset.classes)
    if not out.exists():
        predict = _predictor(recipe, name, run)
        found = segment_batches(paths, recipe.dataset, BATCH, strict=strict, faults=faults)
        with closing(found):  # type: ignore[type-var]
            ids, ranking = rank(predict, found, classes, f"segments {name}")
        write_csv(out, ids, ranking)
    if faults:
        progress.say(faults.summary())
    if not ratings:
        return out
    write_json(scores, score(out, ratings))
    progress.say(f"MAP@{TOP:,} {Run.read(scores)['map']:.4f}")
    return scores


def _classes(data: Path, ratings: Ratings, classes: int) -> list[int]:
    """The classes to predict, ascending."""
    path = data / vocabulary.FILE
    chosen = sorted(vocabulary.read(path)) if path.exists() else sorted({label for _, label in ratings})
    if not chosen:
        raise UsageError(
            f"no segment of it is rated: which classes? `yt8m download vocabulary --version=3 --data={data}` "
            "fetches those of 2019."
        )
    if chosen[-1] >= classes:
        raise KitError(f"{path} has class {chosen[-1]}; the data set has {classes} classes.")
    return chosen


def _predictor(recipe: Recipe, name: str, run: Run) -> Predict:
    if name in recipe.members and not run.graph.exists():
        run.need(run.averaged, "average")
        return predictor(load_weights(model_of(recipe.member(name), recipe.dataset), run.averaged))
    graph = load_graph(run.need(run.graph, "export"), "serving_default")
    return lambda batch: graph(batch)["probabilities"]
