"""Non-local aggregation of frames, plain (NL) and hierarchical group-wise (HG-NL).

Self-attention over frames whose output is averaged over the attending frames and added to the mean frame. The
average is linear in the values, so attention maps are averaged first, and values are computed of one weighted
mean frame (per group) instead of every frame.

Shapes: B batch, T frames, D features, Q width of queries and keys, G groups.
Source: the iqiyi entry to ActivityNet 2019 (Kinetics-700), Table 1, after Wang et al.,
"Non-local neural networks" (2018).
"""

import keras
from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, aggregate, project
from yt8m_kit.layers.layer import Layer, Tensor


class GroupDense(Layer):
    """Grouped dense layer: (..., D) -> (..., O) float32; group g of inputs maps to group g of outputs.

    width: O. groups: G. shared: one kernel and bias for all groups. Raises UsageError where groups do not
    divide D and O.
    """

    def __init__(self, width: int, groups: int, shared: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.width, self.groups, self.shared = width, groups, shared

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        features, groups = inputs_shape[-1] or 0, self.groups
        if features % groups or self.width % groups:
            raise UsageError(
                f"features must be divisible by groups; got {features} to {self.width}, groups={groups}."
            )
        kernels = 1 if self.shared else groups
        limit = (6 * groups / (features + self.width)) ** 0.5  # Glorot's, within a group
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.weight("kernel", (kernels, features // groups, self.width // groups), uniform)
        self.bias = self.weight("bias", (kernels, self.width // groups), "zeros")

    def full(self) -> tuple[Tensor, Tensor]:
        """Return the block-diagonal kernel (D, O) and bias (O,) of the equivalent dense layer."""
        groups = self.groups
        ones = ops.ones((groups, 1, 1))
        kernel_GIO = self.kernel * ones
        blocks = kernel_GIO[:, :, None, :] * ops.eye(groups)[:, None, :, None]
        kernel = ops.reshape(blocks, (-1, self.width))
        return kernel, ops.reshape(self.bias * ones[:, :, 0], (-1,))

    def call(self, inputs: Tensor) -> Tensor:
        kernel, bias = self.full()
        return self.matmul(inputs, kernel) + bias


class NonLocalMean(Layer):
    """Non-local mean, mean frame + s * mean over frames of the attention output: Frames -> (B, D) float32.

    s is a trained scalar that starts at 0. query_width: Q. query_groups, value_groups: of the projections;
    shared: as in GroupDense. relu: attention maps are relu(Q^T K) / n, one for each value group (HG-NL;
    dividing by n, the number of frames, is our choice); otherwise softmax over attended frames. Padding
    neither attends nor is attended to.
    Raises UsageError where value groups do not divide Q, or groups the widths of a projection.
    """

    def __init__(
        self,
        query_width: int,
        query_groups: int = 1,
        value_groups: int = 1,
        shared: bool = False,
        relu: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.query = GroupDense(query_width, query_groups, shared, name="query")
        self.key = GroupDense(query_width, query_groups, shared, name="key")
        self.query_width, self.value_groups = query_width, value_groups
        self.shared, self.relu = shared, relu

    def build(self, frames_shape: Frames) -> None:
        width = frames_shape.codes[-1]
        if self.query_width % self.value_groups:
            raise UsageError(
                f"query width must be divisible by value groups; got {self.query_width}, "
                f"value groups={self.value_groups}."
            )
        self.value = GroupDense(width, self.value_groups, self.shared, name="value")
        for part in (self.query, self.key, self.value):
            part.build((None, width))
        self.strength = self.weight("strength", (), "zeros")

    def call(self, frames: Frames) -> Tensor:
        mask_BT = frames.real
        count_B1 = ops.maximum(ops.sum(mask_BT, axis=1, keepdims=True), 1.0)
        share_BTG = self._shares(frames, mask_BT, count_B1)
        mean_BT1 = (mask_BT / count_B1)[:, :, None]
        pooled_BDG = aggregate(ops.concatenate([share_BTG, mean_BT1], axis=2), frames, self.compute_dtype)
        groups, width = self.value_groups, pooled_BDG.shape[1]
        # The features of a group, from that group's weighted mean frame.
        own_BGIG = ops.reshape(pooled_BDG[:, :, :groups], (-1, groups, width // groups, groups))
        mixed_BD = ops.reshape(ops.sum(own_BGIG * ops.eye(groups)[:, None, :], axis=3), (-1, width))
        kernel, bias = self.value.full()
        bias_BGI = ops.sum(share_BTG, axis=1)[:, :, None] * ops.reshape(bias, (groups, -1))
        output_BD = self.matmul(mixed_BD, kernel) + ops.reshape(bias_BGI, (-1, width))
        return self.strength * output_BD + pooled_BDG[:, :, groups]

    def _shares(self, frames: Frames, mask_BT: Tensor, count_B1: Tensor) -> Tensor:
        """Average attention maps over attending frames: weights of the attended, (B, T, G) by value group."""
        queries, keys = (self._heads(frames, layer) for layer in (self.query, self.key))
        logits_BGIJ = ops.cast(ops.einsum("bigw,bjgw->bgij", queries, keys), "float32")
        # Frame j attends to frames i.
        attended_B1I1, attending_B1J = mask_BT[:, None, :, None], (mask_BT / count_B1)[:, None, :]
        if self.relu:
            maps = ops.relu(logits_BGIJ) * attended_B1I1 / count_B1[:, None, None, :]
        else:
            maps = ops.softmax(logits_BGIJ - 1e9 * (1.0 - attended_B1I1), axis=2)
        return ops.transpose(ops.sum(maps * attending_B1J[:, :, None, :], axis=3), (0, 2, 1))

    def _heads(self, frames: Frames, layer: GroupDense) -> Tensor:
        kernel, bias = layer.full()
        projected = project(frames, kernel, self.compute_dtype) + bias
        shape = (-1, projected.shape[1], self.value_groups, self.query_width // self.value_groups)
        return ops.cast(ops.reshape(projected, shape), self.compute_dtype)
