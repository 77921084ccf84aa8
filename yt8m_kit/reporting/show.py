"""Print predictions by label name."""

from itertools import islice

from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import UsageError
from yt8m_kit.pipeline.job import csv_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment


def show(experiment: Experiment, name: str, *, videos: int = 10, labels: int = 5) -> str:
    """Format the best labels of the first videos of submission.csv by name, one line per video.

    Names come from DATA/vocabulary.csv. Raises UsageError if the submission or the vocabulary is missing.
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
        return "".join(_line(line, names, labels) for line in islice(lines, 1, 1 + videos))


def _line(row: str, names: dict[int, str], labels: int) -> str:
    video, _, pairs = row.rstrip("\n").partition(",")
    values = pairs.split(" ")
    best = zip(values[::2], values[1::2])
    words = (f"{names.get(int(label), label)} {float(confidence):.2f}" for label, confidence in best)
    return f"{video}: {', '.join(islice(words, labels))}\n"
