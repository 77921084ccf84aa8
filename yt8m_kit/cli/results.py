"""Verbs that predict and score."""

import sys
from pathlib import Path
from typing import Literal

from yt8m_kit import backend
from yt8m_kit.cli.places import Split, experiment, part_of
from yt8m_kit.cli.process.facts import print_facts
from yt8m_kit.errors import UsageError, check_installed
from yt8m_kit.fields import Count, Port, Whole
from yt8m_kit.output import progress
from yt8m_kit.output.facts import form_of
from yt8m_kit.stores.path import DataPath


def evaluate(
    recipe: str,
    name: str,
    *,
    split: Split = "validate",
    data: DataPath | None = None,
    runs: Path | None = None,
    strict: bool = False,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Score a member or an exported graph: GAP@20, mAP, Hit@1, PERR; top-1 and top-5."""
    from yt8m_kit.pipeline.sample_check import check_splits
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    is_member, stages = name in given.recipe.members, Stages(given)
    check_splits((stages.weight_scores if is_member else stages.graph_scores)(name, split), anew=anew)
    backend.start()
    from yt8m_kit.evaluation.evaluate import evaluate

    return evaluate(given, name, split=split, strict=strict, anew=anew)


def predict(
    recipe: str,
    name: str,
    *,
    split: Split = "test",
    data: DataPath | None = None,
    runs: Path | None = None,
    part: str | None = None,
    format: Literal["csv", "own"] = "csv",
    strict: bool = False,
    steps: int | None = None,
    limit_videos: int | None = None,
    anew: bool = False,
) -> Path:
    """Write the top 20 labels of every video of a split to a CSV, or resume an interrupted prediction.

    part: K/N predicts every N-th shard only, at the same time as the other parts; without it, shards that
    parts have predicted are joined.

    format: own writes the CSV that was predicted in the format of the recipe's challenge.
    """
    from yt8m_kit.pipeline.sample_check import check_splits
    from yt8m_kit.pipeline.stages import Stages

    chosen = part_of(part, anew)
    given = experiment(recipe, data, runs, steps=steps, limit_videos=limit_videos)
    if format == "own":
        from yt8m_kit.submission.own_format import write_own_format

        if chosen:
            raise UsageError(f"--part divides a prediction, not --format=own; got --part={part}.")
        return write_own_format(given, name, split=split, anew=anew)
    check_splits(Stages(given).predict(name, split), anew=anew)
    backend.start("tensorflow")
    from yt8m_kit.inference.predict import predict, predict_part

    if chosen:
        return predict_part(given, name, chosen, split=split, strict=strict)
    return predict(given, name, split=split, strict=strict, anew=anew)


def show(
    recipe: str,
    name: str,
    *,
    video: str | None = None,
    videos: Count = 10,
    labels: Count = 5,
    data: DataPath | None = None,
    runs: Path | None = None,
) -> None:
    """Print the best labels of the first predicted videos by name.

    video: the id of the only one to print.
    videos: the number of videos.
    labels: the number of labels of each.
    """
    from yt8m_kit.reporting.show import show

    given = experiment(recipe, data, runs)
    print(show(given, name, video=video, videos=videos, labels=labels), end="")


def segments(
    recipe: str,
    name: str,
    *,
    split: Split = "validate",
    data: DataPath | None = None,
    runs: Path | None = None,
    strict: bool = False,
    anew: bool = False,
) -> Path:
    """Rank the segments of 2019's records for each class, to a CSV; score it by MAP@100,000 where rated."""
    from yt8m_kit.pipeline.messages.beginning import announce
    from yt8m_kit.pipeline.stages import Stages

    given = experiment(recipe, data, runs)
    announce(Stages(given).segments(name, split), anew=anew)
    backend.start()
    from yt8m_kit.segments.predict import predict_segments

    return predict_segments(given, name, split=split, strict=strict, anew=anew)


def tensorboard(
    recipe: str,
    *,
    split: Split = "validate",
    port: Whole = 6006,
    data: DataPath | None = None,
    runs: Path | None = None,
) -> None:
    """Show learning curves, scores and settings in TensorBoard, also while members are trained.

    port: of http://localhost:PORT; 0: any that is free.
    """
    check_installed(["tensorboard"], "tensorboard")
    from yt8m_kit.reporting.tensorboard.server import serve

    serve(experiment(recipe, data, runs, reads=False), split, port)


def serve(
    recipe: str,
    name: str,
    *,
    host: str = "127.0.0.1",
    port: Port = 8501,
    batch: Count = 32,
    wait: Whole = 10,
    queue: Count = 128,
    body: Count = 16,
    timeout: Count = 30,
    runs: Path | None = None,
    steps: int | None = None,
    limit_videos: int | None = None,
) -> None:
    """Answer predictions of an exported graph over HTTP, as TensorFlow Serving does.

    host: the address to listen at; another than 127.0.0.1 is open to other machines.
    port: of http://HOST:PORT; 0: any that is free.
    batch: videos that the graph runs at a time, and the most of a request.
    wait: milliseconds for which a batch waits for requests that are on their way.
    queue: requests at a time; further ones are refused.
    body: the most MB of a request.
    timeout: seconds after which a request is given up.
    """
    check_installed(["uvicorn"], "serve")
    from yt8m_kit.export import label_names
    from yt8m_kit.pipeline.job import current
    from yt8m_kit.pipeline.stages import Stages
    from yt8m_kit.serving.limits import Limits
    from yt8m_kit.serving.sockets import listening

    given = experiment(recipe, runs=runs, steps=steps, limit_videos=limit_videos, reads=False)
    stage = Stages(given).export(name)
    progress.say(f"serve {recipe} {name}: {stage.main}")
    graph = current(stage)
    opened = listening(host, port)
    from yt8m_kit.serving.server import run

    limits = Limits(batch, wait / 1000, queue, body * 10**6, timeout)
    names = label_names.read(graph)
    run(name, given.recipe.dataset, names, graph, opened=opened, limits=limits)


def report(
    recipe: str,
    *,
    split: Split = "validate",
    data: DataPath | None = None,
    runs: Path | None = None,
    markdown: bool = False,
    tsv: bool = False,
    json: bool = False,
) -> None:
    """Write runs/RECIPE/report.html, and print scores, sizes and speed as a table.

    data: the records, for labels and videos; else $YT8M_DATA, else data/DATASET.
    markdown: as a table in Markdown.
    json: as JSON, numbers in full.
    """
    from yt8m_kit.output.tables import markdown as as_markdown
    from yt8m_kit.reporting.page.page import write_or_advise
    from yt8m_kit.reporting.report import figures, table

    form = form_of(tsv=tsv, json=json)
    if markdown and form != "text":
        raise UsageError(f"report prints --markdown or --{form}; got both.")
    given = experiment(recipe, data, runs, reads=False)
    with progress.saying_once():
        rows = figures(given, split)
        if markdown:
            print(as_markdown(table(rows).shown()), end="")
        else:
            print_facts(form, scores=table(rows))
        sys.stdout.flush()
        write_or_advise(given, rows, split)
