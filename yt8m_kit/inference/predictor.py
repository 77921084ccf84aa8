"""Prediction functions of a model in memory or of an exported graph."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.errors import KitError
from yt8m_kit.layers.inputs.sampling import average_rounds
from yt8m_kit.machine.spinner import spinning


def compiled(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of arrays that calls `model`, once per shape; weights are read on every call."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)  # type: ignore[no-any-return]
    import jax

    @jax.jit
    def stateless(state: list[Any], *arrays: Any) -> Any:
        # jit would bake the variables in as constants: pass their values as arguments.
        with keras.StatelessScope(state_mapping=list(zip(model.variables, state))):
            return function(*arrays)

    return lambda *arrays: stateless([variable.value for variable in model.variables], *arrays)


def predictor(model: keras.Model, rounds: int = 1) -> Callable[[Batch], NDArray[np.float32]]:
    """A compiled function from a batch to probabilities float32 (B, C), averaged over `rounds` samplings."""

    def call(frames: Any, num_frames: Any) -> Any:
        return average_rounds(model, {"frames": frames, "num_frames": num_frames}, rounds)

    function = compiled(model, call)
    return lambda batch: np.asarray(function(batch.frames, batch.num_frames))


Graph = Callable[[Batch], dict[str, NDArray[Any]]]


def load_graph(path: Path, signature: str) -> Graph:
    """Load a signature of the exported graph ("top" or "serving_default") as a function of a batch.

    Raises KitError if the graph or the signature cannot be loaded.
    """
    import tensorflow as tf

    graph, signatures = load_signatures(path, [signature])
    run = signatures[signature]

    def call(batch: Batch) -> dict[str, NDArray[Any]]:
        out = run(frames=tf.constant(batch.frames), num_frames=tf.constant(batch.num_frames))
        return {key: value.numpy() for key, value in out.items()}

    # The loaded object owns the decoded weights: keep it alive with the function.
    call.graph = graph  # type: ignore[attr-defined]
    return call


def load_signatures(path: Path, names: Iterable[str]) -> tuple[Any, dict[str, Any]]:
    """Load an exported graph; return it, which is to be kept, and the functions of its signatures by name.

    Raises KitError if the graph or a signature cannot be loaded.
    """
    import tensorflow as tf

    try:
        with spinning(f"loading {path}"):
            graph = tf.saved_model.load(str(path))
        return graph, {name: graph.signatures[name] for name in names}
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise KitError(f"cannot load {path}: {str(error).splitlines()[0]} Export it again.") from error
