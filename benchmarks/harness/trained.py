"""For the benchmarks, nothing to run here: the members of a recipe that were trained and averaged."""

import argparse
import os
from pathlib import Path

from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment, Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which recipe and members, and where records and runs lie."""
    parser.add_argument("--recipe", default="audioset")
    parser.add_argument("--members", help="default: all that were averaged")
    parser.add_argument("--data", type=Path, default=os.environ.get("YT8M_DATA", "data/audioset"))
    parser.add_argument("--runs", type=Path, default=os.environ.get("YT8M_RUNS", "runs"))


def found(options: argparse.Namespace) -> tuple[Experiment, list[str]]:
    """The experiment, and those of the members that were averaged."""
    recipe = load(options.recipe)
    names = options.members.split(",") if options.members else list(recipe.members)
    averaged = [name for name in names if Run.of(options.runs, recipe.name, name).averaged.exists()]
    return Experiment(recipe, options.data, options.runs), averaged
