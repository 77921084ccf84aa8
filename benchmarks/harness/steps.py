"""For the benchmarks, nothing to run here: training steps on random videos, the kit's and plain ones.

Every way has the same loss, the same optimiser (Adam, each gradient clipped) and the same batch in memory. A
turn is so many steps that it takes about a second, at least one.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from benchmarks.harness import compare
from yt8m_kit import backend
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.dataset import YOUTUBE8M_2018, Dataset
from yt8m_kit.output.tables import Row
from yt8m_kit.recipe import Member

ALIGNMENT = 64  # bytes; a batch of the kit's reader has it
Steps = Callable[[int], None]
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "NetVLAD 64": ("netvlad", {"clusters": 64, "hidden": 1024}),
    "NeXtVLAD 8x112": ("nextvlad", {}),
    "GRU 2x1024": ("gru", {"units": 1024}),
    "LSTM 2x1024": ("lstm", {"units": 1024}),
    "DBoF 4096, 30 frames": ("dbof", {"clusters": 4096, "draws": 30}),
}


@dataclass(frozen=True)
class Job:
    """A model and a way to train it.

    way: "kit", its step; "update", of that the optimizer's alone, in TensorFlow; "plain",
    benchmarks/baselines/naive.py under one tf.function, or in JAX under the kit's step; "fit", the kit's
    model under Keras' fit; "plain fit". compiled: what XLA compiles of the kit's step in TensorFlow, see
    steps.tensorflow_step. resident: in JAX, the batch lies on the device already.
    """

    family: str
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    batch: int = 64
    frames: int = 300
    classes: int = YOUTUBE8M_2018.classes
    way: str = "kit"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    compiled: str | None = None
    resident: bool = False
    seconds: float = 1.0

    @property
    def dataset(self) -> Dataset:
        """YouTube-8M with other sizes."""
        return replace(YOUTUBE8M_2018, classes=self.classes, max_frames=self.frames)

    @property
    def member(self) -> Member:
        """As a recipe would have it."""
        return Member(
            self.family, self.hyperparameters, batch_size=self.batch, steps=1, precision=self.precision
        )


def ready(**arguments: Any) -> tuple[Callable[[], None], dict[str, Any]]:
    """For contest.options: the steps of a turn, and what is to be said of them.

    Their number, the model's parameters, seconds of the first step, GiB before there was a model.
    """
    job = Job(**arguments)
    backend.start()
    before = compare.peak()
    ways = {"kit": _kit, "update": _update, "plain": _plain, "fit": _fit, "plain fit": _fit}
    steps, parameters = ways[job.way](job)
    first, second = (compare.timed(lambda: steps(1)).wall for _ in range(2))
    count = max(1, round(job.seconds / second))
    about = {"steps": count, "parameters": parameters, "first": first, "before": before}
    return lambda: steps(count), about


def compared(jobs: Mapping[str, Job], repeats: int, backends: Mapping[str, str] | None = None) -> list[Row]:
    """A row for each job, against the first; all of the same model, or AssertionError.

    backends: of Keras, by job.
    """
    ways = {
        name: compare.Way(asdict(job), {"KERAS_BACKEND": (backends or {}).get(name, "tensorflow")})
        for name, job in jobs.items()
    }
    taken = compare.turns(ways, repeats)
    first = next(iter(ways))
    assert len({way.about["parameters"] for way in ways.values()}) == 1, "not the same model"
    each = {name: [turn.per(ways[name].about["steps"]) for turn in taken[name]] for name in ways}
    return [
        row_of(jobs[name], name, ways[name].about, own) | compare.against(each[first], own)
        for name, own in each.items()
    ]


def row_of(job: Job, name: str, about: dict[str, Any], steps: list[compare.Turn]) -> Row:
    """What its steps took."""
    return {
        "batch": job.batch,
        "M parameters": f"{about['parameters'] / 1e6:.1f}",
        "way": name,
        "ms a step": compare.spread([1e3 * step.wall for step in steps], ".0f"),
        "videos/s": compare.median([job.batch / step.wall for step in steps], ".0f"),
        "CPU ms a video": compare.median([1e3 * step.cpu / job.batch for step in steps], ".2f"),
    }


def random_batch(job: Job) -> Batch:
    """Videos of random bytes, most of them shorter than the longest, with three labels each."""
    rng = np.random.default_rng(0)
    shape = (job.batch, job.frames, job.dataset.width)
    memory = np.empty(math.prod(shape) + ALIGNMENT, np.uint8)
    frames = memory[-memory.ctypes.data % ALIGNMENT :][: math.prod(shape)].reshape(shape)
    frames[:] = rng.integers(0, 256, shape, np.uint8)
    counts = rng.integers(job.frames * 2 // 5, job.frames + 1, job.batch).astype(np.int32)
    for row, count in zip(frames, counts):
        row[count:] = 0
    labels = np.zeros((job.batch, job.classes), np.float32)
    np.put_along_axis(labels, rng.integers(0, job.classes, (job.batch, 3)), 1, axis=1)
    return Batch(frames, counts, labels, [""] * job.batch, Position())


def _kit(job: Job) -> tuple[Steps, int]:
    from yt8m_kit.inference.member_model import model_of

    return _stepped(model_of(job.member, job.dataset, job.precision), job)


def _stepped(model: Any, job: Job) -> tuple[Steps, int]:
    """The kit's step of a model."""
    import keras

    from yt8m_kit.inference.member_model import counts

    stepper, _ = _stepper(model, job)
    batch = random_batch(job)
    if job.resident:
        batch = batch._replace(**{name: keras.ops.array(getattr(batch, name)) for name in batch._fields[:3]})

    def steps(count: int) -> None:
        losses = [stepper.step(batch) for _ in range(count)]
        np.asarray(losses[-1])  # JAX answers before it has computed

    return steps, counts(model)[0]


def _stepper(model: Any, job: Job) -> tuple[Any, Any]:
    """The kit's step of a model, and its optimizer."""
    import keras

    from yt8m_kit.training.optimizer import loss_of, optimizer_of
    from yt8m_kit.training.steps import make_step, tensorflow_step

    optimizer = optimizer_of(job.member, job.member.learning_rate)
    optimizer.build(model.trainable_variables)
    loss = loss_of(job.member, job.dataset)
    if keras.backend.backend() == "tensorflow":
        return tensorflow_step(model, optimizer, loss, compiled=job.compiled), optimizer
    return make_step(model, optimizer, loss), optimizer


def _update(job: Job) -> tuple[Steps, int]:
    """The update of the kit's step, from gradients that do not change."""
    import tensorflow as tf

    from yt8m_kit.inference.member_model import counts, model_of

    model = model_of(job.member, job.dataset, job.precision)
    _, optimizer = _stepper(model, job)
    gradients = [tf.random.normal(variable.shape) for variable in model.trainable_variables]
    whole = getattr(model, "compile_whole_step", False)
    apply = tf.function(lambda: optimizer.apply(gradients, model.trainable_variables), jit_compile=whole)

    def steps(count: int) -> None:
        for _ in range(count):
            apply()

    return steps, counts(model)[0]


def _plain_model(job: Job) -> Any:
    import keras

    from benchmarks.baselines import naive

    keras.config.set_dtype_policy(job.precision)
    return naive.FAMILIES[job.family](job.dataset, **job.hyperparameters)


def _plain_adam(job: Job) -> Any:
    import keras

    member = job.member
    return keras.optimizers.Adam(member.learning_rate, epsilon=1e-8, clipnorm=member.clip_norm)


def _plain(job: Job) -> tuple[Steps, int]:
    import keras

    if keras.backend.backend() == "jax":
        return _stepped(_plain_model(job), job)
    return _plain_tensorflow(job)


def _plain_tensorflow(job: Job) -> tuple[Steps, int]:
    import tensorflow as tf

    from yt8m_kit.inference.member_model import counts
    from yt8m_kit.layers.losses import label_loss

    model, optimizer = _plain_model(job), _plain_adam(job)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(frames: Any, num_frames: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            probabilities = model({"frames": frames, "num_frames": num_frames}, training=True)
            loss = label_loss(labels, probabilities, job.member.loss_epsilon) + sum(model.losses)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    tensors = [tf.constant(array) for array in random_batch(job)[:3]]

    def steps(count: int) -> None:
        for _ in range(count):
            step(*tensors)

    return steps, counts(model)[0]


def _fit(job: Job) -> tuple[Steps, int]:
    from yt8m_kit.inference.member_model import counts, model_of
    from yt8m_kit.layers.losses import label_loss

    model = _plain_model(job) if job.way == "plain fit" else model_of(job.member, job.dataset, job.precision)
    epsilon = job.member.loss_epsilon
    model.compile(
        _plain_adam(job),
        loss=lambda labels, probabilities: label_loss(labels, probabilities, epsilon),
    )
    batch = random_batch(job)

    def steps(count: int) -> None:
        frames, num_frames, labels = (np.concatenate([array] * count) for array in batch[:3])
        inputs = {"frames": frames, "num_frames": num_frames}
        model.fit(inputs, labels, batch_size=job.batch, shuffle=False, verbose=0)

    return steps, counts(model)[0]
