"""The command line: each verb reads files, writes files and prints the file that it made last."""

import contextlib
import functools
import inspect
import io
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from yt8m_kit import backend
from yt8m_kit.errors import KitError, UsageError

Split = Literal["train", "validate", "test"]


class Pending:
    """A verb with its arguments bound and checked, not yet run.

    Fire notices a word that it cannot place only after the call; so the call does nothing yet. No
    attributes show, so that Fire cannot walk on from here.
    """

    def __init__(self, run: Callable[[], Any]):
        self.run = run

    def __dir__(self) -> list[str]:
        return []

    def __str__(self) -> str:
        return ""


def convert(name: str, kind: Any, text: Any) -> Any:
    """The text of an argument as what its annotation says; UsageError names what is allowed."""
    if not isinstance(text, str):
        return text
    if isinstance(kind, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not types.NoneType)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"--{name} is either there or not, or true or false; got {text!r}.")
        return text.lower() == "true"
    if text == "True":
        raise UsageError(f"--{name} needs a value, as in --{name}=VALUE.")
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise UsageError(f"--{name} must be one of {', '.join(get_args(kind))}; got {text!r}.")
        return text
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--{name} must be a whole number; got {text!r}.") from None


def verb(function: Callable[..., Any]) -> Callable[..., Pending]:
    """Make a method bind and check its arguments, and leave running to main()."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def bind(*args: Any, **kwargs: Any) -> Pending:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if name != "self":
                bound.arguments[name] = convert(name, signature.parameters[name].annotation, value)
        return Pending(lambda: function(*bound.args, **bound.kwargs))

    return bind


def _runs(runs: Path | None) -> Path:
    return runs or Path(os.environ.get("YT8M_RUNS", "runs"))


def _data(data: Path | None, dataset: str) -> Path:
    return data or Path(os.environ.get("YT8M_DATA", Path("data") / dataset))


class Verbs:
    """Size-constrained video classification on frame features, from records to a submission.

    DATA is --data, or $YT8M_DATA, or data/DATASET. RUNS is --runs, or $YT8M_RUNS, or runs.
    """

    @verb
    def recipes(self) -> None:
        """List the recipes with their members and ensembles."""
        from yt8m_kit import recipe as recipes

        for name in recipes.names():
            recipe = recipes.load(name)
            print(f"{name}: {recipe.description}")
            print(f"  members: {', '.join(recipe.members)}")
            print(f"  ensembles: {', '.join(recipe.ensembles) or 'none'}")

    @verb
    def members(self, recipe: str, ensemble: str | None = None) -> None:
        """Print the members of an ensemble, or all of the recipe, one a line."""
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        print("\n".join(loaded.ensemble(ensemble).members if ensemble else loaded.members))

    @verb
    def check(self, recipe: str, *, data: Path | None = None) -> None:
        """Compare parameters and bytes with the published ones; say which data is there."""
        backend.start()
        from yt8m_kit.check import check
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        text, wrong = check(loaded, _data(data, loaded.dataset.name))
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
        from yt8m_kit.recipe import load

        backend.start()
        from yt8m_kit.train import train

        loaded = load(recipe)
        return train(loaded, member, _data(data, loaded.dataset.name), _runs(runs), strict=strict)

    @verb
    def average(
        self, recipe: str, member: str, *, data: Path | None = None, runs: Path | None = None
    ) -> Path:
        """Average a trained member's checkpoints over the recipe's range of steps."""
        backend.start()
        from yt8m_kit.average import average
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        return average(loaded, member, _data(data, loaded.dataset.name), _runs(runs))

    @verb
    def ensemble(
        self, recipe: str, ensemble: str, *, data: Path | None = None, runs: Path | None = None
    ) -> Path:
        """Search the blend weights of an ensemble on validation GAP@20."""
        backend.start()
        from yt8m_kit.blend import ensemble as blend
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        return blend(loaded, ensemble, _data(data, loaded.dataset.name), _runs(runs))

    @verb
    def quantize(self, recipe: str, name: str, *, data: Path | None = None, runs: Path | None = None) -> Path:
        """Choose the form of each tensor, and codes, where an ensemble is mixed or calibrated."""
        from yt8m_kit.plan import is_measured, without_videos
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        if not is_measured(loaded.ensemble(name)):
            return without_videos(loaded, name, _runs(runs))
        backend.start("tensorflow")
        from yt8m_kit.quantize import quantize

        return quantize(loaded, name, _data(data, loaded.dataset.name), _runs(runs))

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
        from yt8m_kit.export import export
        from yt8m_kit.recipe import load

        return export(load(recipe), name, _runs(runs), archive=format == "tgz")

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
        from yt8m_kit.evaluate import evaluate
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        place = _data(data, loaded.dataset.name)
        return evaluate(loaded, name, place, _runs(runs), split=split, strict=strict)

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
        from yt8m_kit.predict import predict
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        place = _data(data, loaded.dataset.name)
        return predict(loaded, name, place, _runs(runs), split=split, strict=strict)

    @verb
    def submit(
        self,
        recipe: str,
        name: str,
        *,
        to: Literal["local", "kaggle"] = "local",
        data: Path | None = None,
        runs: Path | None = None,
    ) -> Path:
        """Score the CSV on the local board, or hand it in to Kaggle."""
        from yt8m_kit.leaderboard import submit_locally
        from yt8m_kit.recipe import load

        loaded = load(recipe)
        return submit_locally(loaded, name, _data(data, loaded.dataset.name), _runs(runs))

    @verb
    def leaderboard(self) -> Path:
        """Regenerate the score table submissions/README.md."""
        from yt8m_kit.leaderboard import leaderboard

        return leaderboard()

    @verb
    def report(
        self, recipe: str, *, split: Split = "validate", runs: Path | None = None, markdown: bool = False
    ) -> None:
        """Print what the recipe's runs reached: scores, sizes, speed."""
        from yt8m_kit.recipe import load
        from yt8m_kit.report import report

        print(report(load(recipe), _runs(runs), split=split, as_markdown=markdown), end="")


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
        elif parameter.annotation is bool:
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
            f"      {(function.__doc__ or '').strip()}",
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
    """Run a command line and return its exit code: 0, 1 for a failure, 2 for misuse, 130 for Ctrl-C."""
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


if __name__ == "__main__":
    sys.exit(main())
