"""Members: one model family, trained one way."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any, Literal

from yt8m_kit import models
from yt8m_kit.codecs.formats import CODECS
from yt8m_kit.errors import UsageError
from yt8m_kit.fields import Count, Interval, NonNegative, Positive, Share, Whole, checked, unknown
from yt8m_kit.recipe.averages import Ema, Range

WITHOUT_EFFECT = ("published", "checkpoint_minutes")  # fields that no product depends on
# Fields that are left out of records where they have their defaults, as products made before them have none.
NEWER = ("label_smoothing", "schedule", "steps_down", "warm_up", "initial")


@checked
@dataclass(frozen=True)
class Member:
    """One model family, trained one way.

    The length is `steps`, or `epochs` over the train split. The learning rate is multiplied by `decay` every
    `decay_examples` examples (staircase); with `steps_down` it is divided by ten at these epochs instead, and
    schedule="cosine" lowers it to 0 along half a cosine. `warm_up`: epochs in which it rises linearly first.
    `initial`: the member, or RECIPE/MEMBER of another recipe, from whose final weights the training starts
    where names and shapes agree. An update takes `batch_size` videos, in `accumulate` parts.
    `label_smoothing`: share of a single-label target that is spread evenly over the classes.
    `mixup`: videos are mixed in pairs in training, with weights from Beta(mixup, mixup).
    `teacher`: the ensemble (or member) whose soft labels have weight `teacher_weight` in the target.
    `average`: how the weights are averaged, None for the last ones; keep_average="better" keeps an
    average only if it raises validation GAP. `statistics_batches`: number of training batches on which
    BatchNorm statistics are re-estimated for the resulting weights (0: keep the moving averages).
    Checkpoints are written every `checkpoint_steps` steps, and after `checkpoint_minutes` without one.
    `validate_steps`: steps between validations; `patience`: steps without a higher GAP after which training
    stops; `keep_best`: use the weights of the highest GAP instead of the last.
    published_*: the published values that `check` compares with: parameters saved, MiB by codec.
    Raises UsageError for a wrong value, an unknown family, and a hyperparameter that the family rejects.
    """

    family: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    batch_size: Count = 128
    steps: Count | None = None
    epochs: Positive | None = None
    learning_rate: Positive = 2e-4
    decay: Positive = 0.8
    decay_examples: Count = 4_000_000
    schedule: Literal["staircase", "cosine"] = "staircase"
    steps_down: tuple[Positive, ...] = ()
    warm_up: NonNegative = 0.0
    initial: str | None = None
    clip_norm: Positive = 1.0
    loss_epsilon: NonNegative = 1e-5
    label_smoothing: Annotated[float, Interval(0, 1, high_open=True)] = 0.0
    mixup: Positive | None = None
    teacher: str | None = None
    teacher_weight: Share = 0.5
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    checkpoint_steps: Count = 1000
    checkpoint_minutes: Positive = 10.0
    accumulate: Count = 1
    average: Range | Ema | None = None
    keep_average: Literal["always", "better"] = "always"
    validate_steps: Count | None = None
    patience: Whole | None = None
    keep_best: bool = False
    statistics_batches: Whole = 60
    seed: Whole = 0
    published_parameters: Whole | None = None
    published_mib: Mapping[str, NonNegative] = field(default_factory=dict)

    def __post_init__(self) -> None:
        models.check(self.family, self.hyperparameters)
        for codec in self.published_mib:
            if codec not in CODECS:
                raise UsageError(unknown("published_mib has an unknown codec", codec, CODECS))
        if (self.steps is None) == (self.epochs is None):
            raise UsageError(
                f"a member has either steps or epochs; got steps={self.steps}, epochs={self.epochs}."
            )
        if self.batch_size % self.accumulate:
            raise UsageError(
                "batch_size must be divisible by accumulate; "
                f"got batch_size={self.batch_size}, accumulate={self.accumulate}."
            )
        if (self.patience or self.keep_best) and not self.validate_steps:
            raise UsageError("patience and keep_best need validate_steps; got validate_steps=None.")

        self._check_schedule()
        self._check_range()

    def _check_schedule(self) -> None:
        downs = self.steps_down
        if downs and self.schedule == "cosine":
            raise UsageError(f"steps_down and schedule='cosine' exclude each other; got steps_down={downs}.")
        if any(a >= b for a, b in pairwise(downs)):
            raise UsageError(f"steps_down must be epochs in ascending order; got {downs}.")
        for name, last in (("steps_down", downs[-1] if downs else 0), ("warm_up", self.warm_up)):
            if self.epochs is not None and last >= self.epochs:
                raise UsageError(f"{name} must lie below epochs={self.epochs}; got {last}.")

    def _check_range(self) -> None:
        """Check that the range holds a checkpoint, where the length of the training is known."""
        if not isinstance(self.average, Range) or self.steps is None:
            return
        first, last = self.average.first, min(self.average.last, self.steps)
        newest = last if last == self.steps else last - last % self.checkpoint_steps
        if newest < max(first, 1):
            raise UsageError(
                f"average must hold a checkpoint; got steps {first} to {self.average.last}, with "
                f"steps={self.steps}, checkpoint_steps={self.checkpoint_steps}."
            )

    def without_validation(self) -> "Member":
        """The same member without validation in training."""
        return replace(self, validate_steps=None, patience=None, keep_best=False)

    def frozen(self) -> dict[str, Any]:
        """The settings that results depend on, as JSON values."""
        settings = {
            name: value
            for name, value in asdict(self).items()
            if not (name.startswith(WITHOUT_EFFECT) or (name in NEWER and value == getattr(Member, name)))
        }
        return settings | {"average": {type(self.average).__name__: settings["average"]}}

    def training_settings(self) -> dict[str, Any]:
        """The settings that training depends on: all but how checkpoints are averaged afterwards."""
        settings = self.frozen()
        del settings["keep_average"]
        kept = self.average
        settings["average"] = [kept.first, kept.last] if isinstance(kept, Range) else None
        if self.accumulate > 1:  # unlike weights of versions whose staircase counted the parts of a batch
            settings["decay_counts"] = "updates"
        return settings
