"""The command line: each verb reads files, writes files and prints the path of its product.

DATA is --data, or $YT8M_DATA, or data/DATASET. RUNS is --runs, or $YT8M_RUNS, or runs.
$YT8M_READERS is the number of processes that read records, at least 1.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from yt8m_kit import __version__
from yt8m_kit.cli import data, export, pipeline, recipes, results, submission, training
from yt8m_kit.cli.arguments import Pending, binding, misused, usage
from yt8m_kit.cli.help.text import describe
from yt8m_kit.cli.process.endings import end
from yt8m_kit.cli.process.streams import accept_any_text
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.machine import signals
from yt8m_kit.machine.interrupts import ending_the_process

# In the order of a submission.
VERBS = (
    *(recipes.recipes, recipes.members, recipes.ensembles, recipes.stages, recipes.check),
    *(pipeline.run, pipeline.status),
    *(data.synthesize, data.download, data.verify, data.convert, data.extract, data.sample),
    *(training.train, training.distill, training.average),
    *(export.ensemble, export.quantize, export.export, export.card),
    *(results.evaluate, results.predict, results.show, results.segments),
    *(submission.submit, submission.submissions, submission.leaderboard, results.report),
    *(results.tensorboard, results.serve),
)


def verbs() -> dict[str, Callable[..., Any]]:
    """Return all verbs by name."""
    return {verb.__name__: verb for verb in VERBS}


def overview() -> str:
    """Format the text of `yt8m --help`."""
    _, _, places = (__doc__ or "").partition("\n\n")
    lines = [
        "Size-constrained video classification on frame features, from records to a submission.",
        "",
        places,
    ]
    for name, function in verbs().items():
        lines += [
            f"  yt8m {name} {usage(function)}".rstrip(),
            f"      {(function.__doc__ or '').splitlines()[0]}",
        ]
    return "\n".join(
        [*lines, "", "yt8m VERB --help describes a verb; yt8m --version prints the version.", ""]
    )


def _bind(words: list[str]) -> Any:
    """Let Fire parse the words; return a Pending verb, or None after help was printed."""
    import fire

    if words[0] not in verbs():
        close = did_you_mean(words[0], verbs())
        raise UsageError(f"no verb {words[0]!r}; there are: {', '.join(verbs())}.{close}")
    if {"--help", "-h"} & set(words[1:]):
        print(describe(verbs()[words[0]], usage(verbs()[words[0]])), end="")
        return None
    # Fire parses 1.10 as 1.1 and a#b as a: pass the text on unparsed.
    fire.parser.DefaultParseValue = lambda text: text
    shown = io.StringIO()
    bound = {name: binding(function) for name, function in verbs().items()}
    try:
        with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(shown):
            return fire.Fire(bound, command=words, name="yt8m", serialize=lambda _: None)
    except fire.core.FireExit as stop:
        if stop.code == 0:
            print(shown.getvalue().partition("\n\n")[2], end="")
            return None
        lines = shown.getvalue().splitlines()
        why = next((line.removeprefix("ERROR: ") for line in lines if "ERROR" in line), "wrong arguments")
        raise misused(why, words[0], verbs()[words[0]]) from None


def _run(words: list[str]) -> None:
    """Run a command line up to the last byte of its output."""
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview(), end="")
    elif words[0] == "--version":
        print(__version__)
    else:
        with ending_the_process():
            pending = _bind(words)
        with signals.raised():
            made = pending.run() if isinstance(pending, Pending) else None
        if made is not None:
            print(made)
    sys.stdout.flush()


def main(words: list[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 for a failure, 2 for misuse.

    Ended by a signal it is 128 + its number: 130 for Ctrl-C, 143 for SIGTERM, 138 for SIGUSR1.
    Verbs that access Kaggle have further codes, from 3 on: docs/faults.md. 141: nobody reads the output.
    """
    words = sys.argv[1:] if words is None else words
    os.environ.setdefault("PAGER", "cat")
    accept_any_text()
    try:
        _run(words)
        return 0
    except (Exception, KeyboardInterrupt, signals.TerminatedError) as error:
        return end(error, words)
