"""The first step of every pooling family: frames times a kernel, then BatchNorm.

Shapes: B batch, T frames, D features, E features after a linear map, K clusters.
"""

from keras import ops

from yt8m_kit.layers.inputs.frames import Frames, project_apart
from yt8m_kit.layers.inputs.normalization import BatchNorm
from yt8m_kit.layers.layer import Layer, Tensor, normal


class Projection(Layer):
    """Frames -> (B, T, K) float32: BatchNorm(values @ kernel), without bias; kernel N(0, fan^-1/2), fan D.

    basis: a linear map D x E that frames go through first; the kernel is then E x K and the frames never are
    (B, T, E): both maps become one. Padding takes no part in the statistics, and its result means nothing.
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
        varying, constant = project_apart(frames, kernel, self.compute_dtype)
        return self.norm(varying, constant, frames.mask, training=training)
