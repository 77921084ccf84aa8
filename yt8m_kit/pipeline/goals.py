"""The stages that `yt8m run` makes for some names, and their execution on an engine."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from yt8m_kit.data.loader import splits
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.output import progress
from yt8m_kit.output.progress import duration, plural
from yt8m_kit.pipeline.engines.schedule import Schedule, why
from yt8m_kit.pipeline.engines.task import Engine
from yt8m_kit.pipeline.messages.ending import within_run
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.run import Experiment

# Verbs that --to accepts: the last stages of a name.
GOALS = ("train", "average", "ensemble", "export", "evaluate", "predict", "submit")


def goals_of(text: str) -> tuple[str, ...]:
    """Parse the verbs of --to; UsageError lists the allowed ones."""
    verbs = tuple(text.split(","))
    for verb in verbs:
        if verb not in GOALS:
            raise UsageError(
                f"--to must list verbs of {', '.join(GOALS)}, separated by commas; got {verb!r}."
                + did_you_mean(verb, GOALS)
            )
    return verbs


def last_stages(stages: Stages, names: Sequence[str], goals: Sequence[str]) -> list[Stage]:
    """List the last stages for these names and goals; no names: all members and ensembles.

    Raises UsageError for the submission of a trial.
    """
    recipe = stages.recipe
    if stages.experiment.trial and "submit" in goals:
        raise UsageError("a trial is not submitted: its last stage is predict; leave --to=submit out.")
    found = []
    for name in names or (*recipe.members, *recipe.ensembles):
        members = recipe.ensemble(name).members
        for goal in goals:
            if goal in ("train", "average"):
                found += [getattr(stages, goal)(member) for member in members]
            elif goal != "ensemble" or name not in recipe.members:
                found.append(stages.graph_scores(name) if goal == "evaluate" else getattr(stages, goal)(name))
                if goal in ("predict", "submit") and recipe.submission:
                    found.append(stages.own_format(name))
    return found


def to_do(stages: Stages, last: Sequence[Stage]) -> list[Stage]:
    """List the missing and stale stages of those that lead to `last`, in topological order.

    Raises UsageError if a split that one of them reads is missing.
    """
    found = [stage for stage in stages.leading_to(last) if Inspection().state(stage).kind != "up to date"]
    for split in dict.fromkeys(split for stage in found for split in stage.reads):
        splits.find(stages.experiment.data, split)
    return found


def run(
    experiment: Experiment,
    names: Sequence[str],
    goals: Sequence[str],
    engine: Callable[[list[Stage]], Engine],
    *,
    anew: bool = False,
) -> list[Path]:
    """Make what is missing or stale for these names on an engine; return the files of the last stages.

    A stale product is made again, its old files moved to old/. An interrupted attempt from other sources is
    refused, unless `anew`, which moves it to old/, too. engine: called with the stages to be
    made, if there are any. Raises StageError if a stage fails; stages that do not depend on it are made.
    """
    stages = Stages(experiment)
    last = last_stages(stages, names, goals)
    todo = to_do(stages, last)
    if todo:
        began = time.monotonic()
        with within_run():
            others = stages.leading_to(last_stages(stages, (), goals))
            Schedule(todo, engine(todo), anew=anew, others=others).run()
        following = "report" if "evaluate" in goals and not experiment.trial else "status"
        took = duration(time.monotonic() - began)
        progress.say(
            f"{plural(len(todo), 'stage')} done in {took}; next: yt8m {following} {stages.recipe.name}"
        )
    else:
        progress.say("everything is up to date")
    return [stage.main for stage in last]


def plan(experiment: Experiment, names: Sequence[str], goals: Sequence[str]) -> list[str]:
    """List what run() would do now, one line per stage."""
    stages = Stages(experiment)
    inspection = Inspection()
    lines = []
    for stage in stages.leading_to(last_stages(stages, names, goals)):
        state = inspection.state(stage)
        if state.kind != "up to date":
            took = f", took {duration(state.record.seconds)} before" if state.record else ""
            lines.append(f"{' '.join(stage.words)}{why(state)}{took}")
    return lines
