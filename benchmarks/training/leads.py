"""Parts of a bfloat16 step of the published NetVLAD and NeXtVLAD, each in other ways than the kit's.

    python -m benchmarks.training.leads [--repeats 7] [--write]

128 videos of 300 frames, and the hidden layer of 73,728 x 1024 weights, most of the network's. Each part
alone, the ways of a part in turns within one process; the first way is the kit's.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.harness import compare, docs_tables
from yt8m_kit import backend
from yt8m_kit.output.tables import Row, markdown

VIDEOS, FRAMES, WIDTH = 128, 300, 1152
INPUTS, HIDDEN = 73_728, 1024
CLUSTERS = 896  # 8 groups of 112
Ways = dict[str, Callable[[], Any]]


def update_ways() -> Ways:
    """Adam on the hidden layer's weights, of a gradient in bfloat16; the norm before it is another part."""
    import keras
    import tensorflow as tf

    from yt8m_kit.training.optimizer import ClippedAdam

    kernel = keras.Variable(tf.random.normal((INPUTS, HIDDEN)))
    gradient = tf.cast(tf.random.normal((INPUTS, HIDDEN)), "bfloat16")
    scale, rate = tf.constant(0.5), tf.constant(1e-4)
    optimizer = ClippedAdam(1e-4, clip_norm=1.0)
    optimizer.build([kernel])
    adam = super(ClippedAdam, optimizer).update_step
    moments = [tf.Variable(tf.zeros((INPUTS, HIDDEN))) for _ in range(2)]
    copy = tf.Variable(tf.cast(kernel, "bfloat16"))

    @tf.function(jit_compile=True, autograph=False)
    def of_floats(floats: Any) -> None:
        adam(floats * scale, kernel, rate)

    @tf.function(jit_compile=True, autograph=False)
    def with_copy() -> None:
        adam(tf.cast(gradient, "float32") * scale, kernel, rate)
        copy.assign(tf.cast(kernel, "bfloat16"))

    def of_tensorflow() -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=kernel.value.handle, m=moments[0].handle, v=moments[1].handle, beta1_power=0.9,
            beta2_power=0.999, lr=rate, beta1=0.9, beta2=0.999, epsilon=1e-8,
            grad=tf.cast(gradient, "float32") * scale,
        )  # fmt: skip

    def cast_before() -> Any:
        of_floats(tf.cast(gradient, "float32"))
        return tf.cast(kernel, "bfloat16")  # for the products of the next step

    return {
        "cast to floats, compiled update, cast of the weights": cast_before,
        "compiled update of bfloat16 gradients that writes a copy": with_copy,
        "TensorFlow's operation ApplyAdam": of_tensorflow,
    }


def norm_ways() -> Ways:
    """The sum of a gradient's squares, in float32."""
    import tensorflow as tf

    gradient = tf.cast(tf.random.normal((INPUTS, HIDDEN)), "bfloat16")
    floats = tf.cast(gradient, "float32")
    compiled = tf.function(
        lambda: tf.reduce_sum(tf.square(tf.cast(gradient, "float32"))), jit_compile=True, autograph=False
    )
    return {"l2_loss of floats": lambda: tf.nn.l2_loss(floats), "compiled, of bfloat16": compiled}


def product_ways() -> Ways:
    """The gradient of the hidden layer's inputs."""
    import tensorflow as tf

    kernel = tf.cast(tf.random.normal((INPUTS, HIDDEN)), "bfloat16")
    gradient = tf.cast(tf.random.normal((VIDEOS, HIDDEN)), "bfloat16")
    return {
        "gradient x weights^T": lambda: tf.matmul(gradient, kernel, transpose_b=True),
        "(weights x gradient^T)^T": lambda: tf.transpose(tf.matmul(kernel, gradient, transpose_b=True)),
    }


def statistics_ways() -> Ways:
    """Norms of frames and moments of features, from bytes."""
    import numpy as np
    import tensorflow as tf

    from yt8m_kit.layers.inputs.frames import dequantized
    from yt8m_kit.layers.inputs.normalization import UnitFrames, moments

    codes = tf.constant(np.random.default_rng(0).integers(0, 256, (VIDEOS, FRAMES, WIDTH), np.uint8))
    ones = tf.ones((VIDEOS, FRAMES))
    layer = UnitFrames()

    def work() -> Any:
        return moments(layer(dequantized(codes, ones, ones)), "bfloat16")

    return {"TensorFlow's operations": work, "compiled": tf.function(work, jit_compile=True, autograph=False)}


def batch_norm_ways() -> Ways:
    """BatchNorm of NeXtVLAD's assignments to clusters, and its gradients."""
    import tensorflow as tf

    from yt8m_kit.layers.inputs.frame_norm import frame_shares, normalized, plain

    inputs, upstream = (tf.random.normal((64, FRAMES, CLUSTERS)) for _ in range(2))
    gamma, beta = tf.ones(CLUSTERS), tf.zeros(CLUSTERS)

    def gradients(function: Callable[..., Any]) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([inputs, gamma, beta])
            outputs, *_ = function(inputs, frame_shares(inputs, None), gamma, beta, 1e-3)
        return tape.gradient(outputs, [inputs, gamma, beta], upstream)

    return {
        "a gradient of its own": lambda: gradients(normalized),
        "TensorFlow's gradient": lambda: gradients(plain),
    }


PARTS = {
    "BatchNorm of 19,200 frames": batch_norm_ways,
    "update, 75 million weights": update_ways,
    "norm of the gradient": norm_ways,
    "gradient of the inputs": product_ways,
    "norms and moments of frames": statistics_ways,
}


def rows_of(part: str, repeats: int) -> list[Row]:
    """A row for each way of a part."""
    import tensorflow as tf

    taken = compare.alternate(
        {name: tf.function(work, autograph=False) for name, work in PARTS[part]().items()}, repeats
    )
    first = next(iter(taken.values()))
    return [
        {"part": part, "way": name, "CPU ms": compare.spread([1e3 * turn.cpu for turn in own])}
        | {"times less CPU": compare.against(first, own)["times less CPU"]}
        for name, own in taken.items()
    ]


def main() -> None:
    """Measures and prints the table."""
    parser = docs_tables.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    backend.start()
    rows = [row for part in PARTS for row in rows_of(part, options.repeats)]
    docs_tables.show("leads", markdown(rows), options.write)


if __name__ == "__main__":
    main()
