"""What a stage made, how long it took, where it lies, and the command that comes next."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from yt8m_kit.output import progress
from yt8m_kit.output.progress import amount, duration
from yt8m_kit.pipeline.stage import Stage

IN_RUN = "YT8M_IN_RUN"  # set for the stages of `yt8m run`, which go on by themselves
FOLLOWING = {
    **{"train": "average", "average": "evaluate", "quantize": "export", "export": "predict"},
    **{"predict": "submit"},
}


@contextmanager
def within_run() -> Iterator[None]:
    """Context in which stages name no next command, those of child processes included."""
    os.environ[IN_RUN] = "1"
    try:
        yield
    finally:
        del os.environ[IN_RUN]


def summarize(stage: Stage) -> None:
    """Say what a finished stage made."""
    record = stage.made()
    assert record is not None
    done = f"done in {duration(record.seconds)}, {amount(record.size)} in {stage.main}"
    after = None if os.environ.get(IN_RUN) else next_command(stage)
    progress.say(f"{' '.join(stage.words)}: {done}{f'; next: {after}' if after else ''}")


def next_command(stage: Stage) -> str | None:
    """The command that uses a stage's product, without --data and --runs; None if there is none."""
    _, recipe, name, *_ = stage.words
    verb = FOLLOWING.get(stage.verb)
    if stage.verb == "ensemble":
        verb = "quantize" if stage.experiment.recipe.ensemble(name).is_measured else "export"
    if stage.verb in ("evaluate", "submit") and not stage.options:
        return f"yt8m report {recipe}"
    is_trial = bool(stage.options)  # which is not submitted
    if verb is None or stage.only_formats or (verb == "submit" and is_trial):
        return None
    return " ".join(("yt8m", verb, recipe, name, *stage.options))
