"""Learnable Fisher vectors: first and second order statistics of frames by cluster.

Shapes: B batch, T frames, D features, K clusters.
Source: Miech, Laptev, Sivic, "Learnable pooling with context gating" (2017), section 3.3.
"""

import keras
from keras import ops

from yt8m_kit.layers.inputs.frames import Frames, aggregate_powers, masked, total
from yt8m_kit.layers.inputs.normalization import unit
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.layer import Layer, Tensor, normal


class FisherVector(Layer):
    """NetFV: Frames -> (B, 2 D K) float32, first then second order, each flattened from (D, K).

    With assignments a, A = sum_t a, centres c and deviations s = w^2 + 1e-6:
    first order (sum_t a x - A c) / s, L2-normalized within each cluster and then as a whole; second order
    (sum_t a x^2 - 2 c sum_t a x + A c^2) / s^2 - A, L2-normalized as a whole only, as in WILLOW's code.
    coupled: centres are 0.01 times the assignment kernel, not weights of their own.
    """

    def __init__(self, clusters: int, coupled: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.clusters = clusters
        self.coupled = coupled
        self.projection = Projection(clusters, name="assignment")

    def build(self, frames_shape: Frames) -> None:
        width = frames_shape.codes[-1]
        shape = (width, self.clusters)
        self.projection.build(width)
        around_one = keras.initializers.RandomNormal(mean=1.0, stddev=width**-0.5)
        self.deviations = self.weight("deviations", shape, around_one)
        if not self.coupled:
            self.centres = self.weight("centres", shape, normal(width))

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        assign_BTK = masked(ops.softmax(self.projection(frames, training=training)), frames)
        mass_B1K = total(assign_BTK)[:, None, :]
        first_BDK, second_BDK = aggregate_powers(assign_BTK, frames, self.compute_dtype)
        # A graph may give matrices as bfloat16.
        centres = ops.cast(self.projection.kernel if self.coupled else self.centres, "float32")
        centres = 0.01 * centres if self.coupled else centres
        deviations = ops.square(ops.cast(self.deviations, "float32")) + 1e-6
        second_BDK = second_BDK - 2.0 * centres * first_BDK + mass_B1K * ops.square(centres)
        second_BDK = second_BDK / ops.square(deviations) - mass_B1K
        first_BDK = unit((first_BDK - mass_B1K * centres) / deviations, axis=1)
        size = first_BDK.shape[1] * self.clusters
        vectors = [unit(ops.reshape(order, (-1, size))) for order in (first_BDK, second_BDK)]
        return ops.concatenate(vectors, axis=1)
