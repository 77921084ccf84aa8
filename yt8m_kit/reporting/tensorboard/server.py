"""TensorBoard on a recipe: event files in a temporary folder, which follow the runs, and the server."""

import logging
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from tensorboard import program

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.recipe import Recipe
from yt8m_kit.reporting.tensorboard.points import Points, hyperparameters, points_of
from yt8m_kit.reporting.tensorboard.series import Series
from yt8m_kit.run import Experiment

EVERY = 5.0  # seconds between looks at the runs


def serve(experiment: Experiment, split: str, port: int) -> None:
    """Show the runs of a recipe in TensorBoard at http://localhost:PORT until Ctrl-C; 0: any free port.

    Raises UsageError if nothing was trained, KitError if TensorBoard cannot take the port.
    """
    # Where this module exists, TensorBoard does without TensorFlow: it starts in half a second.
    sys.modules["tensorboard.compat.notf"] = ModuleType("notf")
    written: dict[str, Series] = {}
    with tempfile.TemporaryDirectory(prefix="yt8m-tensorboard-") as folder, progress.saying_once():
        update(written, Path(folder), experiment.recipe, points_of(experiment, split))
        progress.say(
            f"TensorBoard shows {experiment.recipe.name} at {_launch(folder, port)}; Ctrl-C ends it."
        )
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(EVERY)
                update(written, Path(folder), experiment.recipe, points_of(experiment, split))
        for series in written.values():
            series.close()


def update(written: dict[str, Series], folder: Path, recipe: Recipe, points: dict[str, Points]) -> None:
    """Bring the event files up to date; written: the series that exist, to which new ones are added."""
    for name, found in points.items():
        if name not in written:
            written[name] = Series(folder / name)
            if settings := recipe.members.get(name) or recipe.ensembles.get(name):
                written[name].describe(hyperparameters(settings))
        written[name].update(found)


def _launch(folder: str, port: int) -> str:
    """Start the server in a thread; return its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    board = program.TensorBoard()
    board.configure(logdir=folder, port=port, reload_interval=EVERY, load_fast="false")
    try:
        return str(board.launch())
    except program.TensorBoardServerException as error:
        raise KitError(f"TensorBoard cannot start: {error.msg}") from error
