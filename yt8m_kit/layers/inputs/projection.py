"""Projection of frames with BatchNorm, the first step of cluster-based pooling.

Shapes: B batch, T frames, D features, E features after a linear map, K clusters.
"""

from keras import ops

from yt8m_kit.layers.inputs.frames import Frames, project_terms
from yt8m_kit.layers.inputs.normalization import BatchNorm
from yt8m_kit.layers.layer import Layer, Tensor, normal


class Projection(Layer):
    """Linear projection and BatchNorm, without bias: Frames -> (B, T, K) float32.

    clusters: K. fan: the kernel is initialized to N(0, fan^-1/2), D by default.
    basis: a linear map (D, E) to apply first; the kernel is then (E, K), and the product of both is applied
    to the frames, so that (B, T, E) is never computed. Padding is left out of the batch statistics; the
    output on padding is undefined.
    """

    def __init__(self, clusters: int, fan: int | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self.clusters = clusters
        self.fan = fan
        self.norm = BatchNorm(name="norm")

    def build(self, width: int) -> None:
        self.kernel = self.weight("kernel", (width, self.clusters), normal(self.fan or width))
        self.norm.build(self.clusters)

    def call(self, frames: Frames, basis: Tensor | None = None, training: bool = False) -> Tensor:
        kernel = self.kernel if basis is None else ops.matmul(basis, self.kernel)
        varying, constant = project_terms(frames, kernel, self.compute_dtype)
        return self.norm(varying, constant, frames.mask, training=training)
