"""NeXtVLAD, alone or as third place's mixture of three with on-the-fly distillation.

Source: Lin, Xiao, Fan, "NeXtVLAD: An efficient neural network to aggregate frame-level features for
large-scale video classification" (2018).
"""

from typing import Annotated

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, DropoutRate, Interval, NonNegative, Positive, Whole
from yt8m_kit.layers.distillation import Distillation
from yt8m_kit.layers.heads.experts import Logistic
from yt8m_kit.layers.heads.gating import SqueezeGate
from yt8m_kit.layers.heads.hidden import fuse
from yt8m_kit.layers.heads.mixture import MixLogits
from yt8m_kit.layers.inputs.frames import Frames, split, video_inputs
from yt8m_kit.layers.inputs.normalization import batch_norm
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.inputs.whitening import ReverseWhitening
from yt8m_kit.layers.layer import Tensor, he_truncated
from yt8m_kit.layers.pooling.group_vlad import GroupVLAD
from yt8m_kit.layers.pooling.mean import MeanFrame


def build(
    dataset: Dataset,
    *,
    clusters: Annotated[int, Interval(2)] = 112,
    groups: Count = 8,
    expansion: Count = 2,
    hidden: Count = 2048,
    reduction: Count = 16,
    dropout: DropoutRate = 0.5,
    branches: Count = 1,
    temperature: Positive = 3.0,
    distillation_weight: NonNegative = 9.0,
    stop_gradient: bool = False,
    eigenvalues: str | None = None,
    l2: NonNegative = 1e-5,
    seed: Whole = 0,
) -> keras.Model:
    """All frames, whitening reversed -> group VLAD of each feature -> hidden -> SE gate -> logistic.

    clusters, groups: of the first feature; the others have half of both. expansion: factor of the features.
    reduction: of the SE gate. dropout: rate, on the VLADs.
    branches: if more than 1, complete networks whose logits are mixed by a gate on the mean frame; the model
    then has the attribute `distillation` (layers/distillation.py) with temperature, distillation_weight and
    stop_gradient.
    eigenvalues: path of the official eigenvals.npy, None for the closed form fitted to it. l2: penalty on
    kernel and bias of the classifier.
    Raises UsageError where groups do not divide the expanded features or reduction the
    hidden units, and for eigenvalues that cannot be read.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws=None, name="sample")(**inputs)
    frames = ReverseWhitening(dataset, eigenvalues, name="whitening")(frames)
    parts = split(frames, dataset)
    logits = []
    for number in range(branches):
        prefix = f"branch_{number}_" if branches > 1 else ""
        pooled = _pool(parts, clusters, groups, expansion, prefix)
        pooled = keras.layers.Dropout(dropout, seed=seed + number, name=f"{prefix}dropout")(pooled)
        vector = _hidden(pooled, hidden, reduction, prefix)
        head = Logistic(dataset.classes, l2, l2, he_truncated(), logits=True, name=f"{prefix}logistic")
        logits.append(head(vector))
    if branches == 1:
        return keras.Model(inputs, _probabilities(logits[0], dataset), name="nextvlad")
    mixed = MixLogits(name="mixture")(MeanFrame(padding=True, name="mean")(frames), logits)
    outputs = {"probabilities": _probabilities(mixed["mixture_logits"], dataset), **mixed}
    training = keras.Model(inputs, outputs, name="nextvlad_distillation")
    model = keras.Model(inputs, outputs["probabilities"], name="nextvlad")
    model.distillation = Distillation(training, temperature, distillation_weight, stop_gradient)
    return model


def _pool(parts: list[Frames], clusters: int, groups: int, expansion: int, prefix: str) -> Tensor:
    vlads = []
    for number, part in enumerate(parts):
        share = 1 if number == 0 else 2
        layer = GroupVLAD(clusters // share, groups // share, expansion, name=f"{prefix}vlad_{number}")
        vlads.append(layer(part))
    return fuse(vlads, f"{prefix}fusion")


def _hidden(vector: Tensor, hidden: int, reduction: int, prefix: str) -> Tensor:
    """(B, I) -> (B, hidden): a linear layer, BatchNorm without ReLU, and the SE gate."""
    name = f"{prefix}hidden"
    dense = keras.layers.Dense(hidden, use_bias=False, kernel_initializer=he_truncated(), name=name)
    return SqueezeGate(reduction, name=f"{prefix}gate")(batch_norm(f"{name}_norm")(dense(vector)))


def _probabilities(logits: Tensor, dataset: Dataset) -> Tensor:
    activation = "softmax" if dataset.single_label else "sigmoid"
    return keras.layers.Activation(activation, dtype="float32", name="probabilities")(logits)
