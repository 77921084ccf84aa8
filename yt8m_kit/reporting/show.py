"""Print predictions by label name."""

from collections.abc import Iterator
from itertools import islice

from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import UsageError
from yt8m_kit.pipeline.job import csv_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment


def show(
    experiment: Experiment, name: str, *, video: str | None = None, videos: int = 10, labels: int = 5
) -> str:
    """Format the best labels of the first videos of submission.csv by name, one line per video.

    video: the id of the only one to be shown. Names come from DATA/vocabulary.csv. Raises UsageError if the
    submission, the vocabulary or the video is missing.
    """
    csv = csv_of(Stages(experiment).predict(name))
    path = experiment.data / vocabulary.FILE
    if not path.exists():
        raise UsageError(
            f"{path} is missing, a CSV with the columns Index and Name; for YouTube-8M: "
            f"yt8m download vocabulary --data={experiment.data}"
        )
    names = vocabulary.read(path, experiment.recipe.dataset.classes)
    with csv.open(encoding="utf-8") as lines:
        rows: Iterator[str] = islice(lines, 1, None)
        if video is not None:
            rows = (row for row in rows if row.partition(",")[0] == video)
        found = "".join(_line(row, names, labels) for row in islice(rows, videos))
    if not found and video is not None:
        raise UsageError(f"{csv} has no video {video!r}: an id as the test records have it is needed.")
    return found


def _line(row: str, names: dict[int, str], labels: int) -> str:
    video, _, pairs = row.rstrip("\n").partition(",")
    values = pairs.split(" ")
    best = zip(values[::2], values[1::2])
    words = (f"{names.get(int(label), label)} {float(confidence):.2f}" for label, confidence in best)
    return f"{video}: {', '.join(islice(words, labels))}\n"
