"""On-the-fly distillation: branches of a mixture learn from the mixture while it is trained.

Shapes: B batch, N branches, C classes.
Source: Lin, Xiao, Fan, "NeXtVLAD" (2018), section 3.3, after Lan et al., "Knowledge distillation by
on-the-fly native ensemble" (2018).
"""

from dataclasses import dataclass

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor
from yt8m_kit.layers.losses import label_loss


@dataclass(frozen=True)
class Distillation:
    """What training needs of a mixture beyond its probabilities; a model's attribute `distillation`.

    model: the same layers, with outputs {"probabilities": (B, C), "mixture_logits": (B, C), "logits": (B,
    N, C)}; its variables are those of the mixture's own model, in the same order. A training step calls it
    in place of that model and adds loss() to the label loss of "probabilities".
    """

    model: keras.Model
    temperature: float
    weight: float
    stop_gradient: bool = False

    def loss(self, outputs: dict[str, Tensor], labels: Tensor, epsilon: float = 1e-8) -> Tensor:
        """The branches' own label losses and weight times their divergence from the mixture: a scalar."""
        branches = ops.unstack(outputs["logits"], axis=1)
        mixture = outputs["mixture_logits"]
        if self.stop_gradient:
            mixture = ops.stop_gradient(mixture)
        truth = sum(label_loss(labels, ops.sigmoid(branch), epsilon) for branch in branches)
        spread = sum(divergence(mixture, branch, self.temperature, epsilon) for branch in branches)
        return truth + self.weight * spread


def divergence(teacher_BC: Tensor, student_BC: Tensor, temperature: float, epsilon: float) -> Tensor:
    """KL(softmax(teacher / T) || softmax(student / T)) over the classes, averaged over the batch."""
    teacher, student = (ops.softmax(logits / temperature) for logits in (teacher_BC, student_BC))
    return ops.mean(ops.sum(teacher * (ops.log(teacher + epsilon) - ops.log(student + epsilon)), axis=-1))
