"""Verbs that predict and score."""

from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import Split, experiment, part_of


def evaluate(
    recipe: str,
    name: str,
    *,
    split: Split = "validate",
    data: Path | None = None,
    runs: Path | None = None,
    strict: bool = False,
    anew: bool = False,
) -> Path:
    """Score a member or an exported graph: GAP@20, mAP, Hit@1, PERR."""
    given = experiment(recipe, data, runs)
    backend.start()
    from yt8m_kit.evaluation.evaluate import evaluate

    return evaluate(given, name, split=split, strict=strict, anew=anew)


def predict(
    recipe: str,
    name: str,
    *,
    split: Split = "test",
    data: Path | None = None,
    runs: Path | None = None,
    part: str | None = None,
    strict: bool = False,
    anew: bool = False,
) -> Path:
    """Write the top 20 labels of every video of a split to a CSV, or resume an interrupted prediction.

    --part=K/N predicts every N-th shard only, at the same time as the other parts; without it, shards that
    parts have predicted are joined.
    """
    given = experiment(recipe, data, runs)
    chosen = part_of(part, anew)
    backend.start("tensorflow")
    from yt8m_kit.inference.predict import predict, predict_part

    if chosen:
        return predict_part(given, name, chosen, split=split, strict=strict)
    return predict(given, name, split=split, strict=strict, anew=anew)


def show(
    recipe: str,
    name: str,
    *,
    videos: int = 10,
    labels: int = 5,
    data: Path | None = None,
    runs: Path | None = None,
) -> None:
    """Print the best labels of the first predicted videos by name."""
    from yt8m_kit.reporting.show import show

    print(show(experiment(recipe, data, runs), name, videos=videos, labels=labels), end="")


def segments(
    recipe: str,
    name: str,
    *,
    split: Split = "validate",
    data: Path | None = None,
    runs: Path | None = None,
    strict: bool = False,
    anew: bool = False,
) -> Path:
    """Rank the segments of 2019's records for each class, to a CSV; score it by MAP@100,000 where rated."""
    given = experiment(recipe, data, runs)
    backend.start()
    from yt8m_kit.segments.predict import predict_segments

    return predict_segments(given, name, split=split, strict=strict, anew=anew)


def report(
    recipe: str, *, split: Split = "validate", runs: Path | None = None, markdown: bool = False
) -> None:
    """Print scores, sizes and speed of the recipe's runs as a table."""
    from yt8m_kit.reporting.report import report

    print(report(experiment(recipe, runs=runs), split=split, as_markdown=markdown), end="")
