"""Model families: one file each, with build(dataset, *, hyperparameters) -> keras.Model.

A model goes from {"frames": (B, T, D) uint8, "num_frames": (B,) int32} to probabilities (B, C) float32.
Hyperparameters are checked by the annotations of build, and with the data set by constraints/FAMILY.py where
there is one, without importing Keras.
"""

import math
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from yt8m_kit import fields
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.models import _declared


class Weight(NamedTuple):
    """A saved array of a model: its path, its shape and whether it is trained."""

    path: str
    shape: tuple[int, ...]
    trainable: bool

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def families() -> list[str]:
    """Return the names of all families: the files of this package."""
    return sorted(path.stem for path in _declared.FOLDER.glob("[!_]*.py"))


def check(family: str, hyperparameters: Mapping[str, Any]) -> None:
    """Check names, types and ranges of hyperparameters; Keras is not imported.

    Raises UsageError for an unknown family, an unknown or missing hyperparameter, or a value out of range.
    """
    if family not in families():
        close = did_you_mean(family, families())
        raise UsageError(f"family must be one of {', '.join(families())}; got {family}.{close}")
    known = _declared.declared(family)
    names = ", ".join(known) or "none"
    for name, value in hyperparameters.items():
        if name not in known:
            close = did_you_mean(name, known)
            raise UsageError(f"{family} has no hyperparameter {name}; it has: {names}.{close}")
        fields.check(name, value, known[name].kind)
    missing = [name for name, each in known.items() if each.is_required and name not in hyperparameters]
    if missing:
        raise UsageError(f"{family} needs the hyperparameter {', '.join(missing)}; it has: {names}.")


def check_sizes(family: str, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> None:
    """Check that hyperparameters fit the data set, by constraints/FAMILY.py; Keras is not imported.

    They must have passed `check`. Raises UsageError if they do not fit.
    """
    if (_declared.FOLDER / "constraints" / f"{family}.py").exists():
        defaults = {name: each.default for name, each in _declared.declared(family).items()}
        import_module(f"{__name__}.constraints.{family}").check(dataset, **defaults | dict(hyperparameters))


def build(family: str, dataset: Dataset, **hyperparameters: Any) -> Any:
    """Build the family's untrained model for a dataset: a keras.Model as described above.

    Raises UsageError for an unknown family, an unknown or missing hyperparameter, or a value that the
    family rejects.
    """
    check(family, hyperparameters)
    check_sizes(family, dataset, hyperparameters)
    return import_module(f"{__name__}.{family}").build(dataset, **hyperparameters)


def description(family: str) -> str:
    """Return the first sentence of a family's documentation: its layers in order, without the full stop."""
    first = (import_module(f"{__name__}.{family}").build.__doc__ or "").partition("\n")[0]
    return first.partition(". ")[0].rstrip(".")


def outline(family: str, dataset: Dataset, /, *, precision: str = "float32", **hyperparameters: Any) -> Any:
    """Build the model with variables that are not allocated, for graphs that supply the values.

    precision: the model's dtype policy. Call the model in a keras.StatelessScope that maps the variables.
    Raises UsageError as build does.
    """

    from concurrent.futures import ThreadPoolExecutor

    def make() -> Any:
        import keras

        keras.config.set_dtype_policy(precision)  # of this thread
        with keras.StatelessScope(initialize_variables=False):
            return build(family, dataset, **hyperparameters)

    # Keras lists variables to initialize later by thread: that list ends with this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


def weights(family: str, dataset: Dataset, **hyperparameters: Any) -> list[Weight]:
    """List the saved arrays of build's model, in its order, without allocating them. Raises as build does."""
    check(family, hyperparameters)
    return list(_weights(family, dataset, tuple(sorted(hyperparameters.items()))))


@cache
def _weights(family: str, dataset: Dataset, hyperparameters: tuple[tuple[str, Any], ...]) -> list[Weight]:
    model = outline(family, dataset, **dict(hyperparameters))
    return [Weight(w.path, tuple(w.shape), w.trainable) for w in model.weights]
