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
from yt8m_kit.cli.arguments import Pending, binding, usage
from yt8m_kit.cli.help.text import describe
from yt8m_kit.errors import KitError, UsageError

# In the order of a submission.
VERBS = (
    *(recipes.recipes, recipes.members, recipes.ensembles, recipes.stages, recipes.check),
    *(pipeline.run, pipeline.status),
    *(data.synthesize, data.download, data.verify, data.convert, data.sample),
    *(training.train, training.distill, training.average),
    *(export.ensemble, export.quantize, export.export),
    *(results.evaluate, results.predict, results.show, results.segments),
    *(submission.submit, submission.submissions, submission.leaderboard, results.report),
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
        raise UsageError(f"no verb {words[0]!r}; there are: {', '.join(verbs())}.")
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
        raise UsageError(f"{why}. Usage: yt8m {words[0]} {usage(verbs()[words[0]])}".rstrip()) from None


def main(words: list[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 for a failure, 2 for misuse, 130 for Ctrl-C.

    Verbs that access Kaggle have further codes, from 3 on: docs/faults.md.
    """
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview(), end="")
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    os.environ.setdefault("PAGER", "cat")
    try:
        pending = _bind(words)
        made = pending.run() if isinstance(pending, Pending) else None
        if made is not None:
            print(made)
        return 0
    except KitError as error:
        print(f"yt8m: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("yt8m: interrupted; the same command resumes.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"yt8m: {error.filename or 'system'}: {error.strerror or error}.", file=sys.stderr)
        return 1
