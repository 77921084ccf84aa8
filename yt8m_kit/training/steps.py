"""One training step for each backend: batch in, loss out, variables updated.

A custom step, not Model.fit: fit cannot compile the optimiser alone, and hides the position that an exact
resume needs.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.training.input_pipeline import IN_FLIGHT
from yt8m_kit.training.optimizer import ClippedAdam


class Stepper(NamedTuple):
    """A training step and access to its state.

    step: update the variables with one batch, of several devices a tuple; returns its loss. sync: assign the
    current state to the model's and the optimiser's variables. values: current values of the model's
    variables, as backend arrays.
    """

    step: Callable[[Any], Any]
    sync: Callable[[], None]
    values: Callable[[], list[Any]]


ALIGNMENT = 64  # bytes; TensorFlow aborts the process on an unaligned DLPack tensor
COPIES = 8  # at a time to a GPU: one of all frames takes three times as long


def make_step(model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss) -> Stepper:
    """The step of the current backend; the optimiser must be built on the model's trainable variables."""
    make = jax_step if keras.backend.backend() == "jax" else tensorflow_step
    return make(model, optimizer, label_loss)


def _trained(model: keras.Model) -> keras.Model:
    """The model called in training: a mixture's also returns its branches' logits."""
    return model.distillation.model if hasattr(model, "distillation") else model


def objective(model: keras.Model, outputs: Any, labels_BC: Any, label_loss: LabelLoss) -> Any:
    """The label loss plus a mixture's distillation terms (layers/distillation.py), without penalties."""
    if not hasattr(model, "distillation"):
        return label_loss(labels_BC, outputs)
    terms = model.distillation.loss(outputs, labels_BC, label_loss)
    return label_loss(labels_BC, outputs["probabilities"]) + terms


def tensorflow_step(
    model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss, *, compiled: str | None = None
) -> Stepper:
    """A TensorFlow step: gradients by oneDNN's kernels, updates of large variables compiled by XLA.

    XLA makes the updates three times faster on CPUs (benchmarks/training/compilation.py). compiled: what XLA
    compiles, "update", "everything" or "nothing"; None: "everything" for a model whose attribute
    `compile_whole_step` is true, else "update".
    """
    import tensorflow as tf

    compiled = compiled or ("everything" if getattr(model, "compile_whole_step", False) else "update")
    optimizer.compiler = _compile if compiled == "update" else None
    optimizer.squares = lambda gradient: 2 * tf.nn.l2_loss(gradient)  # in one pass, without a copy
    trained = _trained(model)

    @tf.function(jit_compile=compiled == "everything")  # type: ignore[untyped-decorator]
    def gradients_of(frames: Any, num_frames: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = trained({"frames": frames, "num_frames": num_frames}, training=True)
            loss = objective(model, outputs, labels, label_loss) + sum(trained.losses)
        return loss, tape.gradient(loss, model.trainable_weights)

    @tf.function(jit_compile=compiled == "everything")  # type: ignore[untyped-decorator]
    def update(gradients: Any) -> None:
        optimizer.apply(gradients, model.trainable_weights)

    def step(batch: Batch) -> Any:
        loss, gradients = gradients_of(*(_tensor(array) for array in batch[:3]))
        update(gradients)
        return loss

    return Stepper(step, lambda: None, lambda: [variable.value for variable in model.variables])


def _compile(function: Callable[..., None]) -> Callable[..., None]:
    """Compile with XLA, within the calling graph."""
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)  # type: ignore[no-any-return]


def _tensor(array: np.ndarray) -> Any:
    import tensorflow as tf

    if array.ctypes.data % ALIGNMENT or not array.size:
        return tf.constant(array)
    # No copy: the tensor shares the array's memory, which the reader does not reuse until the step is over.
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def jax_update(model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss) -> Callable[..., Any]:
    """A function of state and batch that returns loss and state; state: lists of arrays, as jax_groups."""
    import jax

    trained = _trained(model)

    def loss_of(trainable: Any, fixed: Any, frames: Any, num_frames: Any, labels: Any) -> Any:
        inputs = {"frames": frames, "num_frames": num_frames}
        outputs, fixed, losses = trained.stateless_call(
            trainable, fixed, inputs, training=True, return_losses=True
        )
        return objective(model, outputs, labels, label_loss) + sum(losses), fixed

    def update(state: Any, *arrays: Any) -> Any:
        trainable, fixed, slots = state
        (loss, fixed), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, fixed, *arrays)
        trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
        return loss, [trainable, fixed, slots]

    return update


def jax_groups(model: keras.Model, optimizer: ClippedAdam) -> tuple[list[Any], ...]:
    """The variables of a JAX step's state, in the order of its lists."""
    return model.trainable_variables, model.non_trainable_variables, optimizer.variables


def jax_step(model: keras.Model, optimizer: ClippedAdam, label_loss: LabelLoss) -> Stepper:
    """A JAX step: one compiled function with donated state."""
    import jax

    update = jax_update(model, optimizer, label_loss)
    compiled = jax.jit(lambda state, parts, *rest: update(state, _whole(parts), *rest), donate_argnums=0)
    groups = jax_groups(model, optimizer)
    # A copy: the first step donates its argument's memory.
    state = [[jax.numpy.array(variable.value) for variable in group] for group in groups]

    in_flight: deque[Any] = deque()

    def step(batch: Batch) -> Any:
        nonlocal state
        loss, state = compiled(state, _on_device(batch.frames), batch.num_frames, batch.labels)
        in_flight.append(loss)
        if len(in_flight) > IN_FLIGHT:
            in_flight.popleft().block_until_ready()
        return loss

    def sync() -> None:
        for group, values in zip(groups, state):
            for variable, value in zip(group, values):
                variable.assign(jax.numpy.array(value))

    return Stepper(step, sync, lambda: in_order(model, groups, state))


def _on_device(frames: Any) -> list[Any]:
    """The frames in parts that are copied to a GPU at the same time; one part, not copied, on a CPU."""
    import jax

    if jax.default_backend() == "cpu":
        return [frames]
    size = -(-len(frames) // COPIES)
    return jax.device_put([frames[first : first + size] for first in range(0, len(frames), size)])  # type: ignore[no-any-return]


def _whole(parts: list[Any]) -> Any:
    import jax

    return parts[0] if len(parts) == 1 else jax.numpy.concatenate(parts)


def in_order(model: keras.Model, groups: tuple[list[Any], ...], state: list[list[Any]]) -> list[Any]:
    """The arrays of a JAX step's state that belong to the model's variables, in their order."""
    now = {id(v): value for group, arrays in zip(groups, state) for v, value in zip(group, arrays)}
    return [now[id(variable)] for variable in model.variables]
