"""A stage: a verb, its product, the sources it depends on, and its provenance record."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from yt8m_kit.output.provenance import Record, Sources, is_pending_valid, pending, read_record
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment, Run
from yt8m_kit.trial import SETTING

# Version of a stage's output; incremented when the same sources give another product.
FORMATS = {
    **{"train": 1, "average": 1, "evaluate": 1, "ensemble": 1, "quantize": 1, "export": 1},
    **{"predict": 2, "distill": 1, "segments": 1, "submit": 1},
}

OWN_FORMAT = "--format=own"  # of predict


@dataclass(frozen=True)
class Stage:
    """A verb applied to a name: its product and its dependencies.

    shards: lists the shards of a split for the record. words: the command line without --data and --runs.
    main: the file that exists when the stage is done. sides: further files of the product. partials: files
    from which an interrupted attempt resumes. content: the file whose digest identifies the product to later
    stages; None for main. needs: stages whose products are inputs. reads: splits. shared: splits whose
    current shards the inputs must have been made from. settings: the stage's part of the recipe. others:
    further sources by kind.
    """

    experiment: Experiment = field(repr=False)
    shards: Callable[[str], dict[str, Any] | None] = field(repr=False, compare=False)
    words: tuple[str, ...]
    main: Path
    sides: tuple[Path, ...] = ()
    partials: tuple[Path, ...] = ()
    content: Path | None = None
    needs: tuple["Stage", ...] = ()
    reads: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        """The first word of the command line."""
        return self.words[0]

    @property
    def only_formats(self) -> bool:
        """Whether it writes predictions in the recipe's own format, and runs no model."""
        return OWN_FORMAT in self.words

    @property
    def command(self) -> str:
        """The command to run, without --data and --runs."""
        return " ".join(("yt8m", *self.words, *self.options))

    @property
    def options(self) -> tuple[str, ...]:
        """The limits of a trial, as options."""
        return self.experiment.trial.options if self.experiment.trial else ()

    @property
    def title(self) -> str:
        """The product's name in messages: NAME/FILE."""
        return f"{self.run.path.name}/{self.main.relative_to(self.run.path)}"

    @property
    def run(self) -> Run:
        """The run that the stage writes to."""
        return self.experiment.run(self.words[2])

    @property
    def files(self) -> tuple[Path, ...]:
        """Main and side files that exist."""
        return tuple(file for file in (self.main, *self.sides) if file.exists())

    @property
    def record(self) -> Path:
        """Path of the product's provenance record."""
        return (
            self.run.provenance / f"{self.main.relative_to(self.run.path).as_posix().replace('/', '.')}.json"
        )

    def made(self) -> Record | None:
        """Read the record of the existing product, None if it has none; KitError for a damaged record."""
        return read_record(pending(self.record) if self.is_pending() else self.record)

    def is_pending(self) -> bool:
        """Whether the product has its final name while its record is still pending."""
        return is_pending_valid(self.record, self.main, self.main.relative_to(self.run.path).as_posix())

    def sources(self) -> Sources:
        """Collect the current sources of the product, as JSON values."""
        dataset = asdict(self.experiment.recipe.dataset)
        found = {
            "settings": self._limits() | self.settings,
            "dataset": {key: dataset[key] for key in ("features", "classes", "max_frames", "id_keys")}
            | self.experiment.recipe.dataset.about_labels,
            "splits": {split: self.shards(split) for split in self.reads},
            "products": {need.title: need.identity() for need in self.needs},
            "format": FORMATS[self.verb],
            **self.others,
        }
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    def _limits(self) -> dict[str, Any]:
        trial = self.experiment.trial
        return {SETTING: trial.limits()} if trial else {}

    def identity(self) -> str | None:
        """Return the digest of the product's content from its record; None without a record."""
        record = self.made()
        if record is None:
            return None
        name = (self.content or self.main).relative_to(self.run.path).as_posix()
        return record.files.get(name, (None,))[0]


def sorted_by_needs(last: Iterable[Stage]) -> list[Stage]:
    """Sort these stages and all that they need topologically, each once."""
    found: dict[Path, Stage] = {}

    def visit(stage: Stage) -> None:
        for need in stage.needs:
            visit(need)
        found.setdefault(stage.main, stage)

    for stage in last:
        visit(stage)
    return list(found.values())


def of_other_recipe(experiment: Experiment, place: str) -> Stage:
    """The final weights of a member of another recipe, RECIPE/MEMBER, in its real run.

    The stage does not tell what they were made of: the stages of a recipe follow its own sources only. Raises
    UsageError for a recipe or member that is unknown.
    """
    recipe, _, name = place.partition("/")
    other = replace(experiment, recipe=load(recipe), trial=None)
    other.recipe.member(name)
    return Stage(other, lambda split: None, ("average", recipe, name), other.run(name).averaged)
