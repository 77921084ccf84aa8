"""The command line: each verb reads files, writes files and prints the file that it made last."""

import contextlib
import inspect
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from yt8m_kit import backend
from yt8m_kit.cli import data as data_verbs
from yt8m_kit.cli.arguments import Pending, verb
from yt8m_kit.cli.places import Split, data_place, places, runs_place
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.recipe import load, names


class Verbs:
    """Size-constrained video classification on frame features, from records to a submission.

    DATA is --data, or $YT8M_DATA, or data/DATASET. RUNS is --runs, or $YT8M_RUNS, or runs.
    $YT8M_READERS, 1 or more, is the number of processes that read records.
    """

    @verb
    def recipes(self) -> None:
        """List the recipes with their members and ensembles."""
        for name in names():
            recipe = load(name)
            print(f"{name}: {recipe.description}")
            print(f"  members: {', '.join(recipe.members)}")
            print(f"  ensembles: {', '.join(recipe.ensembles) or 'none'}")

    @verb
    def members(self, recipe: str, ensemble: str | None = None) -> None:
        """Print the members of an ensemble, or all of the recipe, one a line."""
        loaded = load(recipe)
        print("\n".join(loaded.ensemble(ensemble).members if ensemble else loaded.members))

    @verb
    def ensembles(self, recipe: str) -> None:
        """Print the ensembles of a recipe, one a line."""
        print("\n".join(load(recipe).ensembles))

    @verb
    def stages(self, recipe: str, name: str, *, runs: Path | None = None, make: bool = False) -> None:
        """Print the stages that lead to a member or ensemble, teachers first; --make as rules for make."""
        from yt8m_kit.pipeline import as_rules, stages

        found = stages(load(recipe), name, runs_place(runs))
        print(as_rules(found) if make else "\n".join(" ".join(stage.words) for stage in found))

    @verb
    def check(self, recipe: str, *, data: Path | None = None) -> None:
        """Compare parameters and bytes with the published ones; say which data is there."""
        backend.start()
        from yt8m_kit.reporting.check import check

        loaded = load(recipe)
        text, wrong = check(loaded, data_place(data, loaded.dataset.name))
        print(text, end="")
        if wrong:
            raise KitError(f"recipe {recipe} differs from what was published: {'; '.join(wrong)}.")

    @verb
    def synthesize(
        self, out: Path, *, train: int = 3000, validate: int = 1000, test: int = 1000, seed: int = 0
    ) -> Path:
        """Write a small data set in the real format, with test labels kept apart."""
        from yt8m_kit.data.synthesize import synthesize

        synthesize(out, train=train, validate=validate, test=test, seed=seed)
        return out

    download = data_verbs.download
    verify = data_verbs.verify
    convert = data_verbs.convert

    @verb
    def train(
        self,
        recipe: str,
        member: str,
        *,
        data: Path | None = None,
        runs: Path | None = None,
        strict: bool = False,
    ) -> Path:
        """Train a member; goes on where it was. --strict makes a bad record an error."""
        backend.start()
        from yt8m_kit.training.train import train

        loaded, records, kept = places(recipe, data, runs)
        return train(loaded, member, records, kept, strict=strict)

    @verb
    def distill(
        self,
        recipe: str,
        teacher: str,
        *,
        top: int | None = None,
        data: Path | None = None,
        runs: Path | None = None,
    ) -> Path:
        """Write a teacher's soft labels for the train split: its graph's top probabilities of each video.

        --top of them, else 100, or all where there are fewer classes.
        """
        backend.start("tensorflow")
        from yt8m_kit.inference.distill import distill

        loaded, records, kept = places(recipe, data, runs)
        return distill(loaded, teacher, records, kept, top=top)

    @verb
    def average(
        self, recipe: str, member: str, *, data: Path | None = None, runs: Path | None = None
    ) -> Path:
        """Average a trained member's checkpoints over the recipe's range of steps."""
        backend.start()
        from yt8m_kit.training.average import average

        loaded, records, kept = places(recipe, data, runs)
        return average(loaded, member, records, kept)

    @verb
    def ensemble(
        self, recipe: str, ensemble: str, *, data: Path | None = None, runs: Path | None = None
    ) -> Path:
        """Search the blend weights of an ensemble on validation GAP@20."""
        backend.start()
        from yt8m_kit.ensembling.ensemble import ensemble as blend

        loaded, records, kept = places(recipe, data, runs)
        return blend(loaded, ensemble, records, kept)

    @verb
    def quantize(self, recipe: str, name: str, *, data: Path | None = None, runs: Path | None = None) -> Path:
        """Choose the form of each tensor, and codes, where an ensemble is mixed or calibrated."""
        from yt8m_kit.quantization.tensor_plan import without_videos

        loaded, records, kept = places(recipe, data, runs)
        if not loaded.ensemble(name).is_measured:
            return without_videos(loaded, name, kept)
        backend.start("tensorflow")
        from yt8m_kit.quantization.quantize import quantize

        return quantize(loaded, name, records, kept)

    @verb
    def export(
        self,
        recipe: str,
        name: str,
        *,
        format: Literal["graph", "tgz"] = "graph",
        runs: Path | None = None,
    ) -> Path:
        """Write an ensemble (or a member alone) as one graph, or as the archive of the 2018 starter code."""
        backend.start("tensorflow")
        from yt8m_kit.export.export import export

        return export(load(recipe), name, runs_place(runs), archive=format == "tgz")

    @verb
    def evaluate(
        self,
        recipe: str,
        name: str,
        *,
        split: Split = "validate",
        data: Path | None = None,
        runs: Path | None = None,
        strict: bool = False,
    ) -> Path:
        """Score a member or an exported graph: GAP@20, mAP, Hit@1, PERR."""
        backend.start()
        from yt8m_kit.evaluation.evaluate import evaluate

        loaded, records, kept = places(recipe, data, runs)
        return evaluate(loaded, name, records, kept, split=split, strict=strict)

    @verb
    def predict(
        self,
        recipe: str,
        name: str,
        *,
        split: Split = "test",
        data: Path | None = None,
        runs: Path | None = None,
        strict: bool = False,
    ) -> Path:
        """Write the top 20 labels of every video of a split to a CSV; goes on where it was."""
        backend.start("tensorflow")
        from yt8m_kit.inference.predict import predict

        loaded, records, kept = places(recipe, data, runs)
        return predict(loaded, name, records, kept, split=split, strict=strict)

    show = data_verbs.show
    segments = data_verbs.segments

    @verb
    def submit(
        self,
        recipe: str,
        name: str,
        *,
        to: Literal["local", "kaggle"] = "local",
        message: str | None = None,
        wait: bool = True,
        dry_run: bool = False,
        again: bool = False,
        data: Path | None = None,
        runs: Path | None = None,
    ) -> Path:
        """Check the CSV, then score it on the local board, or hand it in to Kaggle and await its score.

        --dry_run checks all that can be checked and sends nothing. --again hands in a file once more.
        Interrupted, the same command goes on where it was. Exit codes from 3 on: see docs/faults.md.
        """
        loaded, records, kept = places(recipe, data, runs)
        if to == "local":
            if message is not None or again:
                raise UsageError("--message and --again go with --to=kaggle; the local board takes neither.")
            from yt8m_kit.evaluation.local_board import submit_locally

            return submit_locally(loaded, name, records, kept, dry_run=dry_run)
        from yt8m_kit.submission.kaggle.submit import submit

        return submit(loaded, name, records, kept, message=message, wait=wait, dry_run=dry_run, again=again)

    @verb
    def submissions(self, *, kaggle: bool = False) -> None:
        """List what was handed in to Kaggle, with scores; --kaggle asks for those that are pending."""
        from yt8m_kit.submission import ledger

        if kaggle:
            from yt8m_kit.submission.kaggle.await_score import refresh

            refresh()
        print(ledger.history(), end="")

    @verb
    def leaderboard(self, *, kaggle: bool = False) -> Path:
        """Regenerate the score table submissions/README.md; --kaggle prints the live board as well."""
        from yt8m_kit.reporting.leaderboard import leaderboard, live_board

        if kaggle:
            from yt8m_kit.dataset import YOUTUBE8M_2018
            from yt8m_kit.submission.kaggle.client import Client

            print(live_board(Client.connect(str(YOUTUBE8M_2018.competition)).board()), end="")
        return leaderboard()

    @verb
    def report(
        self, recipe: str, *, split: Split = "validate", runs: Path | None = None, markdown: bool = False
    ) -> None:
        """Print what the recipe's runs reached: scores, sizes, speed."""
        from yt8m_kit.reporting.report import report

        print(report(load(recipe), runs_place(runs), split=split, as_markdown=markdown), end="")


def verbs() -> dict[str, Callable[..., Pending]]:
    """All verbs by name, in the order of a submission."""
    return {name: each for name, each in vars(Verbs).items() if not name.startswith("_")}


def _arguments(function: Callable[..., Any]) -> str:
    shown = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            shown += [name.upper()] if name != "self" else []
        elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            shown.append(f"[{name.upper()}]")
        elif parameter.default is False:
            shown.append(f"[--{name}]")
        else:
            value = name.upper() if parameter.default is None else parameter.default
            shown.append(f"[--{name}={value}]")
    return " ".join(shown)


def overview() -> str:
    """The text of `yt8m --help`."""
    lines = [inspect.cleandoc(Verbs.__doc__ or ""), ""]
    for name, function in verbs().items():
        lines += [
            f"  yt8m {name} {_arguments(function)}".rstrip(),
            f"      {(function.__doc__ or '').splitlines()[0]}",
        ]
    return "\n".join([*lines, "", "yt8m VERB --help says more about a verb.", ""])


def _bind(words: list[str]) -> Any:
    """What Fire makes of the words: a Pending verb, or None where it has shown help."""
    import fire

    if words[0] not in verbs():
        raise UsageError(f"no verb {words[0]!r}; there are: {', '.join(verbs())}.")
    # Fire reads 1.10 as 1.1 and a#b as a: hand the text on as it was typed.
    fire.parser.DefaultParseValue = lambda text: text
    shown = io.StringIO()
    try:
        with contextlib.redirect_stderr(shown), contextlib.redirect_stdout(shown):
            return fire.Fire(Verbs(), command=words, name="yt8m", serialize=lambda _: None)
    except fire.core.FireExit as stop:
        if stop.code == 0:
            print(shown.getvalue().partition("\n\n")[2], end="")
            return None
        lines = shown.getvalue().splitlines()
        why = next((line.removeprefix("ERROR: ") for line in lines if "ERROR" in line), "wrong arguments")
        usage = f"yt8m {words[0]} {_arguments(verbs()[words[0]])}".rstrip()
        raise UsageError(f"{why}. Usage: {usage}") from None


def main(words: list[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 1 for a failure, 2 for misuse, 130 for Ctrl-C.

    Verbs that talk to Kaggle have codes of their own, from 3 on: docs/faults.md.
    """
    words = sys.argv[1:] if words is None else words
    if not words or words[0] in ("--help", "-h", "help"):
        print(overview(), end="")
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
        print("yt8m: interrupted; the same command goes on where it was.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"yt8m: {error.filename or 'system'}: {error.strerror or error}.", file=sys.stderr)
        return 1
