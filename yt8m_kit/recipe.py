"""Recipes: Python files in submissions/ that export RECIPE, with members to train and ensembles to blend."""

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from yt8m_kit.codecs.formats import CODECS
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.machine.home import folder_of

SIZE_LIMIT = 2**30  # bytes of the exported model, uncompressed: two accepted entries exceeded 10^9
PRECISIONS = ("float32", "mixed_bfloat16")
WITHOUT_EFFECT = ("published", "checkpoint_minutes")  # fields that no product depends on
KEEP_AVERAGE = ("always", "better")


@dataclass(frozen=True)
class Range:
    """The equal-weight mean of the checkpoints with first <= step <= last (Liu & Liu, YT8M-T).

    searched: 1 uses that range; n > 1 tries n ranges with the same end and evenly spaced starts.
    """

    first: int
    last: int
    searched: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise UsageError(f"a range needs 0 <= first <= last; got first={self.first}, last={self.last}.")
        if self.searched < 1:
            raise UsageError(f"searched must be at least 1; got {self.searched}.")


@dataclass(frozen=True)
class Ema:
    """The exponential moving average of a second stage of training that starts from the converged weights.

    Fresh optimiser slots, its own learning rate, an average updated after every batch (first place). gamma is
    the weight of the newest values: what their code calls half-life is 1 / gamma; the true half-life is
    log(2) / gamma batches. The length is given as steps or as epochs.
    """

    steps: int | None = None
    epochs: float | None = None
    learning_rate: float = 8e-5
    gamma: float = 1 / 3000

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise UsageError(
                f"an EMA stage has either steps or epochs; got steps={self.steps}, epochs={self.epochs}."
            )
        if not 0 < self.gamma <= 1:
            raise UsageError(f"gamma must be over 0 and at most 1; got {self.gamma}.")

    def steps_of(self, videos: int, batch_size: int) -> int:
        """Length in steps on a train split of `videos` videos."""
        return self.steps if self.steps is not None else math.ceil((self.epochs or 0) * videos / batch_size)


@dataclass(frozen=True)
class Member:
    """One model family, trained one way.

    The length is `steps`, or `epochs` over the train split. The learning rate is multiplied by `decay` every
    `decay_examples` examples (staircase). An update takes `batch_size` videos, in `accumulate` parts.
    `mixup`: videos are mixed in pairs in training, with weights from Beta(mixup, mixup).
    `teacher`: the ensemble (or member) whose soft labels have weight `teacher_weight` in the target.
    `average`: how the weights are averaged, None for the last ones; keep_average="better" keeps an
    average only if it raises validation GAP. `statistics_batches`: number of training batches on which
    BatchNorm statistics are re-estimated for the resulting weights (0: keep the moving averages).
    Checkpoints are written every `checkpoint_steps` steps, and after `checkpoint_minutes` without one.
    `validate_steps`: steps between validations; `patience`: steps without a higher GAP after which training
    stops; `keep_best`: use the weights of the highest GAP instead of the last.
    published_*: the published values that `check` compares with: parameters saved, MiB by codec.
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
    mixup: float | None = None
    teacher: str | None = None
    teacher_weight: float = 0.5
    precision: str = "float32"
    checkpoint_steps: int = 1000
    checkpoint_minutes: float = 10.0
    accumulate: int = 1
    average: Range | Ema | None = None
    keep_average: str = "always"
    validate_steps: int | None = None
    patience: int | None = None
    keep_best: bool = False
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
        if self.mixup is not None and self.mixup <= 0:
            raise UsageError(f"mixup must be over 0, or None for none; got {self.mixup}.")
        if not 0 <= self.teacher_weight <= 1:
            raise UsageError(f"teacher_weight must lie between 0 and 1; got {self.teacher_weight}.")
        if self.keep_average not in KEEP_AVERAGE:
            raise UsageError(
                f"keep_average must be one of {', '.join(KEEP_AVERAGE)}; got {self.keep_average!r}."
            )
        if self.accumulate < 1 or self.batch_size % self.accumulate:
            raise UsageError(
                "batch_size must be divisible by accumulate; "
                f"got batch_size={self.batch_size}, accumulate={self.accumulate}."
            )
        if not self.checkpoint_minutes > 0:
            raise UsageError(f"checkpoint_minutes must be over 0; got {self.checkpoint_minutes}.")
        if (self.patience or self.keep_best) and not self.validate_steps:
            raise UsageError("patience and keep_best need validate_steps; got validate_steps=None.")

    def without_validation(self) -> "Member":
        """The same member without validation in training."""
        return replace(self, validate_steps=None, patience=None, keep_best=False)

    def frozen(self) -> dict[str, Any]:
        """The settings that results depend on, as JSON values."""
        settings = {
            name: value for name, value in asdict(self).items() if not name.startswith(WITHOUT_EFFECT)
        }
        return settings | {"average": {type(self.average).__name__: settings["average"]}}


@dataclass(frozen=True)
class Ensemble:
    """Members blended into one graph.

    members: names; with searched weights, the candidates. weights: one per member (they need not sum to one),
    or None to search them on the validation split. rounds: sampling rounds averaged in the graph.
    codec: storage format of large tensors; mixed: the format of each is chosen for the blend within `limit`.
    limit: bytes of the exported graph. calibrated: codes of 8 bits or fewer are rounded to minimise the error
    of the layers' outputs on videos of the train split.
    published_*: values reported by the authors (MiB, GAP@20), None if not reported.
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

    @property
    def is_measured(self) -> bool:
        """Whether quantization needs videos, for bit allocation or calibrated rounding."""
        return self.codec == "mixed" or self.calibrated


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
        for name in self.members:
            self._check_teachers(name, ())

    def _check_teachers(self, name: str, students: tuple[str, ...]) -> None:
        """Check that teachers exist and that they form no cycle."""
        if name in students:
            raise UsageError(f"the teachers of {name} form a cycle: {' <- '.join([*students, name])}.")
        teacher = self.member(name).teacher
        if teacher is not None:
            for each in self.ensemble(teacher).members:
                self._check_teachers(each, (*students, name))

    def member(self, name: str) -> Member:
        """The member of that name. Raises UsageError, which lists the existing ones, if there is none."""
        if name not in self.members:
            raise UsageError(f"no member {name!r} in recipe {self.name}; {self._has()}.")
        return self.members[name]

    def ensemble(self, name: str) -> Ensemble:
        """The ensemble of that name; a member's name stands for the ensemble of only that member.

        Raises UsageError, which lists the existing ones, if there is none.
        """
        if name in self.members:
            return Ensemble((name,), weights=(1.0,))
        if name not in self.ensembles:
            raise UsageError(f"no ensemble or member {name!r} in recipe {self.name}; {self._has()}.")
        return self.ensembles[name]

    def _has(self) -> str:
        ensembles = ", ".join(self.ensembles) or "none"
        return f"members: {', '.join(self.members)}; ensembles: {ensembles}"


def folder() -> Path:
    """The folder of recipes: YT8M_RECIPES, else submissions/ next to the package or in the current folder."""
    bundled = Path(__file__).resolve().parent.parent / "submissions"
    return folder_of("YT8M_RECIPES", bundled if bundled.is_dir() else Path("submissions"))


def names() -> list[str]:
    """Names of all recipes, sorted."""
    return sorted(path.stem for path in folder().glob("*.py"))


def load(name: str) -> Recipe:
    """Load the recipe exported by submissions/NAME.py.

    Raises UsageError if there is no such recipe (listing those that exist), or if the file exports none.
    """
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
    recipe: Recipe = module.RECIPE
    if recipe.name != name:
        raise UsageError(
            f"{folder() / name}.py: RECIPE.name must be {name!r}, the name of its file; got {recipe.name!r}."
        )
    return recipe
