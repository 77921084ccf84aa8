"""Run stages on this machine in order, each in its own process, skipping those up to date."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.progress import duration
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection, State
from yt8m_kit.run import Experiment

# Verbs that --to accepts: the last stages of a name.
GOALS = ("train", "average", "ensemble", "export", "evaluate", "predict", "submit")


class StageError(KitError):
    """A failed stage, whose process has printed the reason."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def goals_of(text: str) -> tuple[str, ...]:
    """Parse the verbs of --to; UsageError lists the allowed ones."""
    verbs = tuple(text.split(","))
    for verb in verbs:
        if verb not in GOALS:
            raise UsageError(
                f"--to must list verbs of {', '.join(GOALS)}, separated by commas; got {verb!r}."
            )
    return verbs


def last_stages(stages: Stages, names: Sequence[str], goals: Sequence[str]) -> list[Stage]:
    """List the last stages for these names and goals; no names: all members and ensembles."""
    recipe = stages.recipe
    found = []
    for name in names or (*recipe.members, *recipe.ensembles):
        members = recipe.ensemble(name).members
        for goal in goals:
            if goal in ("train", "average"):
                found += [getattr(stages, goal)(member) for member in members]
            elif goal != "ensemble" or name not in recipe.members:
                found.append(stages.graph_scores(name) if goal == "evaluate" else getattr(stages, goal)(name))
    return found


def run(
    experiment: Experiment, names: Sequence[str], goals: Sequence[str], *, anew: bool = False
) -> list[Path]:
    """Make what is missing or stale for these names, in order; return the files of the last stages.

    A stale product is made again, its old files moved to old/. An interrupted attempt from other sources is
    refused, unless `anew`, which moves it to old/, too. Raises StageError, with the stage's exit code, if a
    stage fails.
    """
    stages = Stages(experiment)
    last = last_stages(stages, names, goals)
    todo = [stage for stage in stages.leading_to(last) if Inspection().state(stage).kind != "up to date"]
    if not todo:
        progress.say("everything is up to date")
    for number, stage in enumerate(todo, 1):
        state = Inspection().state(stage)
        if state.kind != "up to date":  # a rebuild with equal content leaves later stages up to date
            progress.say(f"[{number} of {len(todo)}] {' '.join(stage.words)}{_why(state)}")
            _run(experiment, stage, state.kind in ("stale", "damaged") or (anew and bool(state.reasons)))
    return [stage.main for stage in last]


def _why(state: State) -> str:
    return f" ({state.kind}: {state.reasons[0]})" if state.kind in ("stale", "damaged") else ""


def _run(experiment: Experiment, stage: Stage, anew: bool) -> None:
    words = [*stage.words, f"--runs={experiment.runs}"]
    words += [f"--data={experiment.data}"] if stage.verb != "export" else []
    words += ["--anew"] if anew else []
    done = subprocess.run(
        [sys.executable, "-m", "yt8m_kit.cli", *words], stdout=subprocess.DEVNULL, env=os.environ, check=False
    )
    if done.returncode:
        raise StageError(f"stopped at: {stage.command}", done.returncode if done.returncode > 0 else 1)


def plan(experiment: Experiment, names: Sequence[str], goals: Sequence[str]) -> list[str]:
    """List what run() would do now, one line per stage."""
    stages = Stages(experiment)
    inspection = Inspection()
    lines = []
    for stage in stages.leading_to(last_stages(stages, names, goals)):
        state = inspection.state(stage)
        if state.kind != "up to date":
            took = f", took {duration(state.record.seconds)} before" if state.record else ""
            lines.append(f"{' '.join(stage.words)}{_why(state)}{took}")
    return lines
