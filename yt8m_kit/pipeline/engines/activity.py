"""What is at work in the runs: locks tell the processes, logs what they printed last."""

import os
import re
from pathlib import Path

from yt8m_kit.pipeline.stage import Stage

BAR = re.compile(r"\|[# \d]+\| ")  # of tqdm, between the percentage and the count
TAIL = 4096  # bytes at the end of a log that are searched for its last line


def at_work(stage: Stage) -> list[str]:
    """List the processes at work on a stage, each with the last line of its log."""
    words = " ".join(stage.words)
    holders = stage.run.holders()
    mine = [holder for holder in holders if holder.startswith((f"{words},", f"{words} --part="))]
    return [f"{holder}{_progress(stage, holder)}" for holder in mine]


def _progress(stage: Stage, holder: str) -> str:
    """The last line of the log of the command in a lock."""
    words = tuple(holder.partition(",")[0].split(" "))
    line = last_line(stage.run.log(words))
    return f": {line}" if line else ""


def last_line(log: Path) -> str:
    """The last line of a log that is not blank; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    found = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return BAR.sub(" ", found)
