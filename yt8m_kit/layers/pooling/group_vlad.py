"""NeXtVLAD pooling: frames are expanded and split into groups, which share clusters.

Shapes: B batch, T frames, N features, E = expansion * N expanded features, G groups, D = E / G features per
group, K clusters.
Source: Lin, Xiao, Fan, "NeXtVLAD: An efficient neural network to aggregate frame-level features for
large-scale video classification" (2018), section 3.
"""

from keras import ops

from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import Frames, aggregate_through, masked, project_terms
from yt8m_kit.layers.inputs.normalization import BatchNorm, batch_norm, unit
from yt8m_kit.layers.layer import Layer, Tensor, he_truncated
from yt8m_kit.layers.pooling.attended import attended


class GroupVLAD(Layer):
    """NeXtVLAD: Frames -> (B, D * K) float32, flattened from (D, K): L2-normalized clusters, BatchNorm.

    Expanded frames y = x We + be; a = sigmoid(y Wg + bg)_g * softmax(BN(y Wa))_gk; V = sum over frames and
    groups of a_gk * (y_g - c_k). y itself, (B, T, E), is never computed: We is multiplied into Wa and Wg, and
    applied to V after the sum over frames. BN's statistics include padding, as in the authors' code.
    Raises UsageError where groups do not divide the expanded features.
    """

    def __init__(self, clusters: int, groups: int, expansion: int = 2, name: str | None = None) -> None:
        super().__init__(name)
        self.clusters, self.groups, self.expansion = clusters, groups, expansion
        self.norm, self.vlad_norm = BatchNorm(name="assignment_norm"), batch_norm("vlad_norm")

    def build(self, frames_shape: Frames) -> None:
        width, groups, clusters = frames_shape.codes[-1], self.groups, self.clusters
        expanded = self.expansion * width
        if not groups or expanded % groups:
            raise UsageError(
                f"expanded features must be divisible by groups; got {expanded}, groups={groups}."
            )
        part = expanded // groups
        self.expand = self.weight("expand", (width, expanded), he_truncated())
        self.expand_bias = self.weight("expand_bias", (expanded,), "zeros")
        self.attention = self.weight("attention", (expanded, groups), he_truncated())
        self.attention_bias = self.weight("attention_bias", (groups,), "zeros")
        self.assignment = self.weight("assignment", (expanded, groups * clusters), he_truncated())
        self.centres = self.weight("centres", (part, clusters), he_truncated())
        self.norm.build(groups * clusters)
        self.vlad_norm.build((None, part * clusters))

    def call(self, frames: Frames, training: bool = False) -> Tensor:
        assign_BTGK, mass_BGK = self._assign(frames, training)
        width, part = self.expand.shape[0], self.centres.shape[0]
        basis_NGD = ops.reshape(self.expand, (width, self.groups, part))
        vlad_BDK = aggregate_through(assign_BTGK, mass_BGK, frames, basis_NGD, self.compute_dtype)
        bias_GD = ops.reshape(self.expand_bias, (self.groups, part))
        vlad_BDK = vlad_BDK + ops.einsum("bgk,gd->bdk", mass_BGK, bias_GD)
        vlad_BDK = unit(vlad_BDK - self.centres * ops.sum(mass_BGK, axis=1)[:, None, :], axis=1)
        return self.vlad_norm(ops.reshape(vlad_BDK, (-1, part * self.clusters)), training=training)

    def _assign(self, frames: Frames, training: bool) -> tuple[Tensor, Tensor]:
        """Compute attention times soft assignment, 0 on padding, and its sum over frames, (B, G, K) float32.

        The former, (B, T, G, K) float32, is times the frames' row factor.
        """
        varying, constant = self._head(frames, self.attention)
        attention_BTG = masked(ops.sigmoid(varying + (constant + self.attention_bias)), frames)
        logits = self.norm(*self._head(frames, self.assignment), training=training)
        shape = (-1, logits.shape[1], self.groups, self.clusters)
        gate_BTG = attention_BTG * frames.row[:, :, None]
        return attended(ops.reshape(logits, shape), gate_BTG, frames.row, training)

    def _head(self, frames: Frames, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply the expanded frames by a kernel (E, O): two terms, as from project_terms."""
        through = self.matmul(self.expand, kernel)
        varying, constant = project_terms(frames, through, self.compute_dtype)
        return varying, constant + ops.matmul(self.expand_bias, kernel)
