"""Soft assignment of groups of features to clusters, times attention, with a gradient of its own.

TensorFlow's gradient goes over (B, T, G, K) eleven times: for each use of the assignment, each of its factors
and each broadcast. With p = softmax(logits), s = gate p and mass = sum over frames of r s, this one takes
half of that:

    e = ds + r dmass,  q = sum over clusters of p e,  dlogits = s (e - q),  dgate = q

Shapes: B batch, T frames, G groups, K clusters.
"""

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor

TINY = 1e-30


def attended(
    logits_BTGK: Tensor, gate_BTG: Tensor, row_BT: Tensor, training: bool = False
) -> tuple[Tensor, Tensor]:
    """Multiply the softmax over clusters by a gate: (B, T, G, K); with it its mass (B, G, K), all float32.

    row: the factor of each frame that is in the gate and not in the mass, at least 0; it passes no gradient
    on. training: False for no gradient.
    """
    inverse_BT = ops.where(row_BT > 0, 1.0 / ops.maximum(row_BT, TINY), 0.0)
    if not training or keras.backend.backend() == "jax":  # which fuses the passes by itself
        return plain(logits_BTGK, gate_BTG, inverse_BT)[1:]

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def forward(logits: Tensor, gate: Tensor, inverse: Tensor) -> tuple[tuple[Tensor, Tensor], object]:
        shares, scaled, mass = plain(logits, gate, inverse)

        def backward(*upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            change = upstream[0] + inverse[:, :, None, None] * upstream[1][:, None]
            common = ops.sum(shares * change, axis=-1)
            return scaled * (change - common[..., None]), common, ops.zeros_like(inverse)

        return (scaled, mass), backward

    scaled_BTGK, mass_BGK = forward(logits_BTGK, gate_BTG, inverse_BT)
    return scaled_BTGK, mass_BGK


def plain(logits_BTGK: Tensor, gate_BTG: Tensor, inverse_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute what `attended` does, with the backend's gradient, and before both the softmax.

    inverse: (B, T), one over the factor of each frame, 0 on padding.
    """
    length, groups, clusters = logits_BTGK.shape[1:]
    shares = ops.softmax(logits_BTGK)
    scaled = shares * gate_BTG[..., None]
    rows = ops.reshape(scaled, (-1, length, groups * clusters))
    mass = ops.reshape(ops.matmul(inverse_BT[:, None, :], rows), (-1, groups, clusters))
    return shares, scaled, mass
