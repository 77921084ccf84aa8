"""What is known of an exported graph: its scores, by split, and the training of its members."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages

SPLITS = ("validate", "test", "train")
METRICS = {"gap": "GAP@20", "map": "mAP", "hit1": "Hit@1", "perr": "PERR"}
SINGLE_LABEL = {"top1": "top-1", "top5": "top-5", "mean_error": "mean error"}
BOARD = {"public": "public half of the local board", "private": "private half of the local board"}


def metrics(dataset: Dataset) -> dict[str, str]:
    """Titles of a data set's scores by their keys in the files of evaluation."""
    return METRICS | (SINGLE_LABEL if dataset.single_label else {})


def scores(stages: Stages, name: str) -> list[dict[str, Any]]:
    """Scores of this very graph: split, number of videos (None if unknown), and a dict of values by metric.

    Scores that were made from another graph are named on stderr and left out.
    """
    found = [row for split in SPLITS if (row := _on_split(stages, name, split))]
    return [*found, *_on_board(stages, name)]


def _on_split(stages: Stages, name: str, split: str) -> dict[str, Any] | None:
    stage = stages.graph_scores(name, split)
    kept = read_or_warn(stage) if _follows([stages.export(name), stage]) else {}
    if not kept:
        return None
    values = {title: kept[key] for key, title in metrics(stages.recipe.dataset).items()}
    return {"split": split, "title": f"{split} split", "videos": kept["videos"], "values": values}


def _on_board(stages: Stages, name: str) -> list[dict[str, Any]]:
    chain = [stages.export(name), stages.predict(name), stages.submit(name)]
    kept = read_or_warn(chain[-1]) if _follows(chain) else {}
    single = SINGLE_LABEL if stages.recipe.dataset.single_label else {}
    return [
        {
            "split": "test",
            "title": title,
            "videos": None,
            "values": {METRICS["gap"]: kept[half]}
            | {name: kept[f"{key}_{half}"] for key, name in single.items()},
        }
        for half, title in BOARD.items()
        if half in kept
    ]


def _follows(chain: list[Stage]) -> bool:
    """Whether the last product exists and each was made from the present content of the one before."""
    if not chain[-1].main.exists():
        return False
    for source, product in pairwise(chain):
        try:
            record = product.made() if product.main.exists() else None
        except KitError as error:
            progress.say(str(error))
            return False
        if record is None or record.sources["products"].get(source.title) != source.identity():
            progress.say(f"{product.main} was not made from the present {source.title}: left out of the card")
            return False
    return True


def training(stages: Stages, names: Iterable[str]) -> list[dict[str, Any]]:
    """Settings of each member's training, and the steps that it took (None without a record)."""
    rows = []
    for name in names:
        member = stages.recipe.member(name)
        record = stages.train(name).made()
        row = {"name": name, "batch": member.batch_size, "rate": member.learning_rate}
        row |= {"epochs": member.epochs, "teacher": member.teacher, "precision": member.precision}
        rows.append(row | {"steps": record.figures.get("steps") if record else None})
    return rows
