"""Model families: one file each, with build(dataset, *, hyperparameters) -> keras.Model.

A model goes from {"frames": (B, T, D) uint8, "num_frames": (B,) int32} to probabilities (B, C) float32.
"""

import inspect
import math
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError


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
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def build(family: str, dataset: Dataset, **hyperparameters: Any) -> Any:
    """Build the family's untrained model for a dataset: a keras.Model as described above.

    Raises UsageError for an unknown family, an unknown or missing hyperparameter, or a value that the
    family rejects.
    """
    if family not in families():
        raise UsageError(f"family must be one of {', '.join(families())}; got {family}.")
    function = import_module(f"{__name__}.{family}").build
    check(family, function, hyperparameters)
    return function(dataset, **hyperparameters)


def description(family: str) -> str:
    """Return the first sentence of a family's documentation: its layers in order, without the full stop."""
    first = (import_module(f"{__name__}.{family}").build.__doc__ or "").partition("\n")[0]
    return first.partition(". ")[0].rstrip(".")


def outline(family: str, dataset: Dataset, **hyperparameters: Any) -> Any:
    """Build the model with variables that are not allocated, for graphs that supply the values.

    Call the model in a keras.StatelessScope that maps the variables. Raises UsageError as build does.
    """

    def make() -> Any:
        import keras

        with keras.StatelessScope(initialize_variables=False):
            return build(family, dataset, **hyperparameters)

    # Keras lists variables to initialize later by thread: that list ends with this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(make).result()


def weights(family: str, dataset: Dataset, **hyperparameters: Any) -> list[Weight]:
    """List the saved arrays of build's model, in its order, without allocating them. Raises as build does."""
    model = outline(family, dataset, **hyperparameters)
    return [Weight(w.path, tuple(w.shape), w.trainable) for w in model.weights]


def check(family: str, function: Any, hyperparameters: dict[str, Any]) -> None:
    """Check hyperparameters against the keyword-only parameters of a family's build.

    Raises UsageError for an unknown or missing one.
    """
    known = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    names = ", ".join(known) or "none"
    for name in hyperparameters:
        if name not in known:
            raise UsageError(f"{family} has no hyperparameter {name}; it has: {names}.")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in hyperparameters]
    if missing:
        raise UsageError(f"{family} needs the hyperparameter {', '.join(missing)}; it has: {names}.")
