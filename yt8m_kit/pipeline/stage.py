"""A stage: what a verb makes of which sources, and where the record of that is kept."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yt8m_kit.output.provenance import Record, Sources, is_pending_valid, pending, read_record
from yt8m_kit.run import Experiment, Run

# Raised where a stage would make something else of the same sources.
FORMATS = {
    **{"train": 1, "average": 1, "evaluate": 1, "ensemble": 1, "quantize": 1, "export": 1},
    **{"predict": 1, "distill": 1, "segments": 1, "submit": 1},
}


@dataclass(frozen=True)
class Stage:
    """A verb on a name, and what it makes from what.

    shards: returns those of a split as a record keeps them. words: of the command line, without places. main:
    the file that exists when the stage is done. sides: files that are made with it. partials: what an
    interrupted attempt leaves for the next one to resume from.
    content: the file by which later stages know the product again. needs: the stages it takes products of.
    reads: splits. shared: splits that the products it takes must have read as they are now. settings: its own
    part of the recipe. others: further sources by kind.
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
        """The verb that makes it."""
        return self.words[0]

    @property
    def command(self) -> str:
        """What to type, without places."""
        return " ".join(("yt8m", *self.words))

    @property
    def title(self) -> str:
        """The product as people are told of it: NAME/FILE."""
        return f"{self.run.path.name}/{self.main.relative_to(self.run.path)}"

    @property
    def run(self) -> Run:
        """The run whose folder it works in."""
        return self.experiment.run(self.words[2])

    @property
    def files(self) -> tuple[Path, ...]:
        """Main and side files that are there."""
        return tuple(file for file in (self.main, *self.sides) if file.exists())

    @property
    def record(self) -> Path:
        """Where it is kept what the product was made from."""
        return (
            self.run.provenance / f"{self.main.relative_to(self.run.path).as_posix().replace('/', '.')}.json"
        )

    def made(self) -> Record | None:
        """The record of the product that is there, None for an unknown one; KitError for a damaged record."""
        return read_record(pending(self.record) if self.is_pending() else self.record)

    def is_pending(self) -> bool:
        """True where the product has taken its name, and its record is still to be promoted."""
        return is_pending_valid(self.record, self.main, self.main.relative_to(self.run.path).as_posix())

    def sources(self) -> Sources:
        """What the product would be made from now, as JSON values."""
        dataset = asdict(self.experiment.recipe.dataset)
        found = {
            "settings": self.settings,
            "dataset": {key: dataset[key] for key in ("features", "classes", "max_frames", "id_keys")},
            "splits": {split: self.shards(split) for split in self.reads},
            "products": {need.title: need.identity() for need in self.needs},
            "format": FORMATS[self.verb],
            **self.others,
        }
        return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    def identity(self) -> str | None:
        """The digest of the product's content, as its record has it; None where there is no product."""
        record = self.made()
        if record is None:
            return None
        name = (self.content or self.main).relative_to(self.run.path).as_posix()
        return record.files.get(name, (None,))[0]
