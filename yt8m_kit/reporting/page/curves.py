"""Learning curves: training loss, learning rate, speed and validation GAP@20 against videos seen."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yt8m_kit.pipeline.job import read_or_warn
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.training.log import VALIDATION, read_rows

POINTS = 200  # of a curve, at most
STAGES = {"checkpoints": "training", "ema": "EMA stage"}  # in the order in which they run
METRICS = ("videos", "loss", "learning_rate", "videos_per_second")
VALIDATED = f"{VALIDATION}gap"

Row = dict[str, Any]


def training_curves(stages: Stages) -> list[Row]:
    """Points of each member's curves: videos seen, loss, learning rate, videos/s; thinned to POINTS means."""
    return [
        {"member": member, "stage": stage, **point}
        for member, stage, rows in logs(stages)
        for point in _thinned([row for row in rows if "loss" in row])
    ]


def validation_curves(stages: Stages, split: str) -> list[Row]:
    """Validation GAP@20 by videos seen and, by `kind`, that of the weights before and after averaging.

    Members without an average have one point, of their final weights, on the split.
    """
    found, last = [], {}
    for member, stage, rows in logs(stages):
        last[member] = rows[-1]["videos"]
        found += [
            {"member": member, "stage": stage, "videos": row["videos"], "gap": row[VALIDATED]}
            for row in rows
            if VALIDATED in row
        ]
    curve = [row | {"kind": "validation in training"} for row in found]
    points = [_points(stages, name, split, videos) for name, videos in last.items()]
    return curve + [point for own in points for point in own]


def logs(stages: Stages) -> Iterator[tuple[str, str, list[Row]]]:
    """Member, stage and rows of each training log, with the videos seen since the member's first step."""
    for name, member in stages.recipe.members.items():
        seen = 0
        for stage, title in STAGES.items():
            rows = read_rows(stages.experiment.run(name).metrics, stage)
            if rows:
                yield name, title, [row | {"videos": seen + row["step"] * member.batch_size} for row in rows]
                seen += rows[-1]["step"] * member.batch_size


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """Means of up to POINTS stretches of equal length."""
    stretches = np.array_split(np.arange(len(rows)), min(POINTS, len(rows)) or 1)
    return [
        {metric: float(np.mean([rows[place][metric] for place in stretch])) for metric in METRICS}
        for stretch in stretches
        if len(stretch)
    ]


def _points(stages: Stages, name: str, split: str, videos: int) -> list[Row]:
    run = stages.experiment.run(name)
    average = read_or_warn(stages.average(name), run.average) if run.average.exists() else {}
    if average:
        kept = "kept" if average["kept"] != "trained" else "not kept"
        scores = {"before averaging": average["trained"]}
        scores[f"after averaging, {kept}"] = max(average["averages"].values())
    else:
        gap = read_or_warn(stages.weight_scores(name, split)).get("gap")
        scores = {} if gap is None else {"final weights": gap}
    point = {"member": name, "stage": "", "videos": videos}
    return [point | {"gap": gap, "kind": kind} for kind, gap in scores.items()]
