"""The submission in the recipe's own format, made from the CSV."""

from pathlib import Path

from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import UsageError
from yt8m_kit.fields import shown
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe.mistakes import naming_the_line
from yt8m_kit.run import Experiment
from yt8m_kit.submission.csv_reader import read


def write_own_format(experiment: Experiment, name: str, *, split: str = "test", anew: bool = False) -> Path:
    """Write submission.ENDING by the recipe's function; return its path.

    Raises UsageError for a recipe without such a format, if the CSV is missing or stale, for an existing file
    of another CSV or function, and with file and line for a mistake of the function.
    """
    stages = Stages(experiment)
    stage, predicted = stages.own_format(name, split), stages.predict(name, split)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            content = _content(experiment, verified(predicted))
            with job.writing() as temporary:
                temporary.write_bytes(content)
    return stage.main


def _content(experiment: Experiment, csv: Path) -> bytes:
    """What the recipe's function makes of a CSV."""
    recipe = experiment.recipe
    assert recipe.submission is not None
    assert recipe.submission.file is not None
    names = experiment.data / vocabulary.FILE
    known = vocabulary.read(names, recipe.dataset.classes) if names.exists() else {}
    predictions = read(csv, recipe.dataset.classes)
    with naming_the_line(recipe.submission.file):
        content = recipe.submission.write(*predictions, known)
    if not isinstance(content, str | bytes):
        function = f"{recipe.submission.file}: {recipe.submission.write.__name__}"
        raise UsageError(f"{function} must return a text or bytes; got {shown(content)}.")
    return content.encode() if isinstance(content, str) else content
