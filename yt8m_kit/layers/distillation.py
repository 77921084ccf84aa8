"""On-the-fly distillation: the branches of a mixture learn from the mixture during training.

Shapes: B batch, N branches, C classes.
Source: Lin, Xiao, Fan, "NeXtVLAD" (2018), section 3.3, after Lan et al., "Knowledge distillation by
on-the-fly native ensemble" (2018).
"""

from dataclasses import dataclass

import keras
from keras import ops

from yt8m_kit.layers.layer import Tensor
from yt8m_kit.layers.losses import LabelLoss


@dataclass(frozen=True)
class Distillation:
    """Training model and loss terms of a mixture; set as its model's attribute `distillation`.

    model: the same layers and variables, in the same order, with outputs {"probabilities": (B, C),
    "mixture_logits": (B, C), "logits": (B, N, C)}, all float32. A training step calls it in place of the
    mixture's model and adds loss() to the label loss of "probabilities".
    temperature: of both softmaxes. weight: of the divergences. stop_gradient: of the mixture, as teacher.
    """

    model: keras.Model
    temperature: float
    weight: float
    stop_gradient: bool = False

    def loss(self, outputs: dict[str, Tensor], labels: Tensor, label_loss: LabelLoss) -> Tensor:
        """Sum the branches' label losses and weight * divergences from the mixture: a float32 scalar.

        labels: (B, C). The loss' epsilon is inside the divergences' logarithms, too.
        """
        branches = ops.unstack(outputs["logits"], axis=1)
        mixture = outputs["mixture_logits"]
        if self.stop_gradient:
            mixture = ops.stop_gradient(mixture)
        truth = sum(label_loss.of_logits(labels, branch) for branch in branches)
        epsilon = label_loss.epsilon
        spread = sum(divergence(mixture, branch, self.temperature, epsilon) for branch in branches)
        return truth + self.weight * spread


def divergence(teacher_BC: Tensor, student_BC: Tensor, temperature: float, epsilon: float) -> Tensor:
    """Compute KL(softmax(teacher / T) || softmax(student / T)), averaged over the batch: a float32 scalar.

    teacher, student: logits (B, C); T: temperature. epsilon is added inside the logarithms.
    """
    teacher, student = (ops.softmax(logits / temperature) for logits in (teacher_BC, student_BC))
    return ops.mean(ops.sum(teacher * (ops.log(teacher + epsilon) - ops.log(student + epsilon)), axis=-1))
