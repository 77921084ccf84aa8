"""What to train and what to blend: a recipe is a Python file in submissions/ that exports RECIPE."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.spec import Dataset

SIZE_LIMIT = 2**30  # bytes of the exported model, uncompressed (model_families 10.6)
PRECISIONS = ("float32", "mixed_bfloat16")
CODECS = (
    "float32", "float16", "float16_four", "bfloat16", "uint8",
    "int8", "int8_g128", "int6", "int6_g128", "int4", "int4_g128", "mixed",
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One model family, trained one way.

    Length is `steps`, or `epochs` over the train split. The learning rate falls by `decay` every
    `decay_examples` examples (staircase). `average` is the range (first, last) of checkpoint steps whose
    weights are averaged, None for the last weights alone; `statistics_batches` training batches
    re-estimate the BatchNorm statistics of whatever weights come out (0: leave the moving averages).
    published_*: what `check` holds ours against: parameters saved, MiB by codec.
    """

    family: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    steps: int | None = None
    epochs: float | None = None
    learning_rate: float = 2e-4
    decay: float = 0.8
    decay_examples: int = 4_000_000
    clip_norm: float = 1.0
    loss_epsilon: float = 1e-5
    precision: str = "float32"
    checkpoint_steps: int = 1000
    average: tuple[int, int] | None = None
    statistics_batches: int = 60
    seed: int = 0
    published_parameters: int | None = None
    published_mib: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise UsageError(
                f"a member has either steps or epochs; got steps={self.steps}, epochs={self.epochs}."
            )
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}.")
        if self.average is not None and not 0 <= self.average[0] <= self.average[1]:
            raise UsageError(f"average must be (first, last) with 0 <= first <= last; got {self.average}.")

    def frozen(self) -> dict[str, Any]:
        """The settings as plain JSON values; what a run remembers of its member."""
        settings = {name: value for name, value in asdict(self).items() if not name.startswith("published")}
        return settings | {"average": list(self.average) if self.average else None}


@dataclass(frozen=True)
class Ensemble:
    """Members blended into one graph.

    weights: by member name (they need not sum to one), or None to search them on the validation split.
    members: names, where the weights are searched. rounds: sampling rounds averaged in the graph.
    codec: how large tensors are stored; mixed: each in the form that serves the blend best within `limit`.
    limit: bytes of the exported graph. calibrated: codes of 8 bits or fewer are rounded so that the outputs
    of layers change least on videos of the train split.
    published_*: what the authors reported (MiB, GAP@20), None where they did not.
    """

    members: tuple[str, ...]
    weights: tuple[float, ...] | None = None
    codec: str = "uint8"
    rounds: int = 1
    limit: int = SIZE_LIMIT
    calibrated: bool = False
    published_mib: float | None = None
    published_public: float | None = None
    published_private: float | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise UsageError("an ensemble needs at least one member; got none.")
        if self.weights is not None and len(self.weights) != len(self.members):
            raise UsageError(
                f"weights must match members; got {len(self.weights)} for {len(self.members)} members."
            )
        if self.codec not in CODECS:
            raise UsageError(f"codec must be one of {', '.join(CODECS)}; got {self.codec!r}.")
        if not 0 < self.limit <= SIZE_LIMIT:
            raise UsageError(f"limit must be from 1 to {SIZE_LIMIT:,} bytes; got {self.limit:,}.")


@dataclass(frozen=True)
class Recipe:
    """A data set, the members trained on it and the ensembles blended from them."""

    name: str
    description: str
    dataset: Dataset
    members: Mapping[str, Member]
    ensembles: Mapping[str, Ensemble] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, ensemble in self.ensembles.items():
            unknown = sorted(set(ensemble.members) - set(self.members))
            if unknown:
                raise UsageError(f"ensemble {name} names unknown member {unknown[0]!r}; {self._has()}.")
            if name in self.members:
                raise UsageError(f"{name!r} is both a member and an ensemble of recipe {self.name}.")

    def member(self, name: str) -> Member:
        """The member of that name; UsageError names those that exist."""
        if name not in self.members:
            raise UsageError(f"no member {name!r} in recipe {self.name}; {self._has()}.")
        return self.members[name]

    def ensemble(self, name: str) -> Ensemble:
        """The ensemble of that name; a member's name stands for the ensemble of that member alone."""
        if name in self.members:
            return Ensemble((name,), weights=(1.0,))
        if name not in self.ensembles:
            raise UsageError(f"no ensemble or member {name!r} in recipe {self.name}; {self._has()}.")
        return self.ensembles[name]

    def _has(self) -> str:
        ensembles = ", ".join(self.ensembles) or "none"
        return f"members: {', '.join(self.members)}; ensembles: {ensembles}"


def folder() -> Path:
    """Where recipes live: YT8M_RECIPES, or submissions/ beside the package or in the current folder."""
    if "YT8M_RECIPES" in os.environ:
        return Path(os.environ["YT8M_RECIPES"])
    beside = Path(__file__).resolve().parent.parent / "submissions"
    return beside if beside.is_dir() else Path("submissions")


def names() -> list[str]:
    """Names of all recipes, sorted."""
    return sorted(path.stem for path in folder().glob("*.py"))


def load(name: str) -> Recipe:
    """The recipe submissions/NAME.py exports; UsageError names those that exist."""
    if name not in names():
        raise UsageError(
            f"no recipe {name!r} in {folder()}; there are: {', '.join(names()) or 'none'}. "
            "Set YT8M_RECIPES for another folder."
        )
    module_spec = importlib.util.spec_from_file_location(f"recipe_{name}", folder() / f"{name}.py")
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    if not isinstance(getattr(module, "RECIPE", None), Recipe):
        raise UsageError(f"{folder() / name}.py must export RECIPE, a yt8m_kit.recipe.Recipe.")
    return module.RECIPE  # type: ignore[no-any-return]
