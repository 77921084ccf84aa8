"""Predict a split with the exported graph: a CSV of the top 20 labels of each video."""

import itertools
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.errors import DataError
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.shard_rows import ShardRows
from yt8m_kit.inference.sweep import BATCH, REUSE, sweep
from yt8m_kit.machine import signals
from yt8m_kit.machine.space import check_space
from yt8m_kit.metrics import TOP
from yt8m_kit.output import progress
from yt8m_kit.output.progress import plural
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.part import WHOLE, Part, working_on
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath
from yt8m_kit.submission.csv_reader import HEADER, check

PAIR = 8  # bytes of a label, its confidence and two blanks: more, where confidences have six digits


def predict(
    experiment: Experiment, name: str, *, split: str = "test", strict: bool = False, anew: bool = False
) -> Path:
    """Write the top 20 labels of every video of a split, in file order, to a CSV; return its path.

    The file is submission.csv for the test split, else predictions.SPLIT.csv; it is renamed into place only
    after it was read back and checked. Batches end with their shard. An interrupted prediction resumes, and
    shards that predict_part has completed are not predicted again. strict: a bad record raises DataError
    instead of being skipped. Raises UsageError if existing predictions are from another graph or other
    shards.
    """
    stages = Stages(experiment)
    stage = stages.predict(name, split)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            paths = paths_of(experiment, split)
            faults = _predict_shards(stages, stage, WHOLE, strict)
            with job.writing() as temporary:
                rows = _join(temporary, stage.partials[0], paths)
                if not rows:
                    raise DataError(f"no usable record in {plural(len(paths), 'shard')}: {faults.summary()}")
                check(temporary, experiment.recipe.dataset.classes, rows)
                job.figures = {"videos": rows}
        shutil.rmtree(stage.partials[0], ignore_errors=True)
    return stage.main


def predict_part(
    experiment: Experiment, name: str, part: Part, *, split: str = "test", strict: bool = False
) -> Path:
    """Predict the shards of one part; return the folder of rows, which `predict` joins to the CSV.

    Parts may run at the same time, on any number of machines. Raises what `predict` raises.
    """
    stages = Stages(experiment)
    stage = stages.predict(name, split)
    with working_on(stage, part) as is_missing:
        if is_missing:
            _predict_shards(stages, stage, part, strict)
    return stage.partials[0] if is_missing else stage.main


def _predict_shards(stages: Stages, stage: Stage, part: Part, strict: bool) -> Faults:
    """Complete the rows of a part's shards; return what was skipped."""
    dataset, folder = stage.experiment.recipe.dataset, stage.partials[0]
    paths, graph = paths_of(stage.experiment, stage.reads[0]), None
    faults, mine = Faults(dataset.max_skipped, splits.count(paths)), part.of(paths)
    while missing := _incomplete(folder, mine, ids := set[str]()):
        graph = graph or load_graph(verified(stages.export(stage.words[2])), "top")
        left = splits.count([*missing]) - sum(missing.values())
        check_space(stage.run.path, left * min(dataset.classes, TOP) * PAIR, f"predicting {left:,} videos")
        total = splits.count(mine)
        with progress.bar(total, "predict", initial=total - left) as bar:
            for run, start in _runs(missing):
                batches = read_batches(
                    run,
                    dataset,
                    BATCH,
                    start=start,
                    strict=strict,
                    faults=faults,
                    reuse=REUSE,
                    mix=1,
                    by_group=True,
                )
                swept = sweep(graph, batches, bar, faults)
                _write_rows(folder, run, start.record, swept, ids)
    if faults:
        progress.say(faults.summary())
    return faults


def _incomplete(folder: Path, paths: Sequence[DataPath], ids: set[str]) -> dict[DataPath, int]:
    """List the shards that lack rows, with the number of their records that were read; add ids of rows."""
    found = {}
    for path in paths:
        with closing(ShardRows(folder, path, ids)) as rows:
            if not rows.is_complete:
                found[path] = rows.record
    return found


def _runs(missing: Mapping[DataPath, int]) -> Iterator[tuple[list[DataPath], Position]]:
    """Group the shards into runs that are read in one pass: only its first shard starts within a shard."""
    starts = [number for number, record in enumerate(missing.values()) if record or not number]
    paths, records = [*missing], [*missing.values()]
    for start, end in itertools.pairwise([*starts, len(paths)]):
        yield paths[start:end], Position(record=records[start])


def _write_rows(
    folder: Path,
    paths: list[DataPath],
    start: int,
    swept: Generator[tuple[Batch, dict[str, NDArray[Any]]]],
    ids: set[str],
) -> None:
    """Write the rows of shards that are read in one pass from record `start` of the first one.

    A shard that another process has advanced meanwhile is left to the next pass. ids: of the videos that
    have rows.
    """
    empty = dict.fromkeys(range(len(paths)))
    with closing(swept), signals.noted() as request:
        for number, batches in itertools.groupby(swept, lambda each: each[0].position.group):
            del empty[number]
            with closing(ShardRows(folder, paths[number], ids)) as rows:
                if rows.record == (0 if number else start) and not rows.is_complete:
                    _write_shard(rows, batches, request)
            request.raise_again()
    for number in empty:
        with closing(ShardRows(folder, paths[number], ids)) as rows:
            rows.complete()


def _write_shard(
    rows: ShardRows, batches: Iterator[tuple[Batch, dict[str, NDArray[Any]]]], request: signals.Request
) -> None:
    """Write the rows of one shard; a signal ends that after a batch, with its position saved."""
    for batch, best in batches:
        rows.add(batch, best)
        if request.number:
            rows.save()
            request.raise_again()
    rows.complete()


def _join(path: Path, folder: Path, shards: Sequence[DataPath]) -> int:
    """Write the header and the rows of all shards; return the number of rows."""
    count = 0
    with path.open("wb") as joined:
        joined.write(f"{HEADER}\n".encode())
        for shard in shards:
            with closing(ShardRows(folder, shard)) as rows, rows.path.open("rb") as part:
                shutil.copyfileobj(part, joined)
                count += rows.count
    return count
