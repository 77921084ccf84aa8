"""What a stage begins, or where it resumes, in one line, before frameworks are imported."""

import math
from contextlib import suppress

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.progress import plural
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection, is_interrupted


def announce(stage: Stage, *, anew: bool = False) -> None:
    """Say what a stage begins; nothing where its product exists.

    Raises UsageError if an input is missing or stale, KitError if one is damaged.
    """
    if stage.main.exists() and not anew:
        return
    Inspection(stage).check_needs(stage)
    resumes = is_interrupted(stage) and not anew
    parts = [_training(stage, resumes=resumes)] if stage.verb == "train" else _records(stage)
    if resumes and stage.verb != "train":
        parts.append("resumes")
    details = ", ".join(filter(None, parts))
    progress.say(f"{' '.join(stage.words)}{': ' * bool(details)}{details}")


def _records(stage: Stage) -> list[str]:
    """Shards of each split, and their records where they are counted."""
    found = []
    for split in stage.reads:
        shards = stage.shards(split) or {}
        counts = [count for _, count in shards.values()]
        videos = "" if None in counts else f" ({plural(sum(counts), 'video')})"
        found.append(f"{plural(len(shards), 'shard')} of {split}{videos}")
    return found


def _training(stage: Stage, *, resumes: bool) -> str:
    """Checkpoints and steps, done and in total; empty while the total is not known."""
    member = stage.experiment.recipe.member(stage.words[2])
    if (total := _total(stage)) is None:
        return "resumes" if resumes else ""
    checkpoints = math.ceil(total / member.checkpoint_steps)
    if (step := _step(stage) if resumes else 0) == 0:
        return f"{plural(total, 'step')}, {plural(checkpoints, 'checkpoint')}"
    done = step // member.checkpoint_steps
    return f"{done:,} of {plural(checkpoints, 'checkpoint')}, step {step:,} of {total:,}"


def _total(stage: Stage) -> int | None:
    member = stage.experiment.recipe.member(stage.words[2])
    if member.steps is not None:
        return member.steps
    counts = [count for _, count in (stage.shards("train") or {}).values()]
    if member.epochs is None or not counts or None in counts:
        return None
    examples: float = member.epochs * sum(counts)
    return math.ceil(examples / member.batch_size)


def _step(stage: Stage) -> int:
    """Step of the last checkpoint; 0 where there is none, or it is damaged, which training reports."""
    from yt8m_kit.output.arrays import read_header

    with suppress(KitError, OSError, KeyError, ValueError):
        return int(read_header(stage.run.checkpoints / "state.npz", "")["step"])
    return 0
