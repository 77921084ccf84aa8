"""NetVLAD, gated: the pooling of most submissions of 2017 and 2018.

The defaults are those of WILLOW's gated NetVLAD, which first place used in 2018 (Miech, Laptev, Sivic,
"Learnable pooling with context gating for video classification", 2017). Other published settings:
yt8m_kit/models/variants/netvlad.py.
"""

from typing import Annotated, Literal

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.fields import Count, DropoutRate, Interval, NonNegative, Positive, Whole
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.heads.gating import ContextGate
from yt8m_kit.layers.heads.hidden import fuse, linear, relu6
from yt8m_kit.layers.inputs.frames import split, video_inputs, widths_of
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.inputs.whitening import ReverseWhitening
from yt8m_kit.layers.layer import Tensor
from yt8m_kit.layers.pooling.non_local import NonLocal
from yt8m_kit.layers.pooling.vlad import IntraNormalize, NetVLAD


def build(
    dataset: Dataset,
    *,
    clusters: Annotated[int, Interval(2)] = 256,
    hidden: Count = 1024,
    mixtures: Count | None = 2,
    residual: bool = True,
    fusion: Literal["late", "early"] = "late",
    normalization: Literal["unit", "whitening"] = "unit",
    input_norm: bool = True,
    reduction: Count | None = None,
    non_local: Literal["clusters", "half"] | None = None,
    temperature: Positive | None = None,
    tie_g_to_phi: bool = False,
    dropout: DropoutRate = 0.0,
    relu: bool = False,
    widen: Count | None = None,
    gate: bool = True,
    probability_gate: bool = True,
    draws: Count | None = 300,
    moe_l2: NonNegative = 1e-6,
    seed: Whole = 0,
) -> keras.Model:
    """Sampled frames -> VLADs -> hidden -> context gate -> mixture of experts -> probability gate.

    Inputs and output as in yt8m_kit.models. By keyword:

    clusters: of the first feature; the others have half as many.
    fusion: "late", a VLAD for each feature; "early", a single VLAD over all features.
    normalization: of frames, "unit" L2 norm or "whitening" reversed; input_norm: BatchNorm after it.
    residual: False leaves out the cluster centres (NetRVLAD).
    reduction: a linear layer reduces the features to 1/reduction before they are pooled.
    non_local: width of a non-local block on the VLAD before normalization, "clusters" or "half" (of the
        features); temperature, tie_g_to_phi: see yt8m_kit.layers.pooling.non_local.
    dropout: rate, on the VLADs.
    relu: BatchNorm and relu6 after the hidden layer in place of a bias.
    widen: a second linear layer, of widen * hidden units.
    gate, probability_gate: context gates of the hidden vector and of the probabilities.
    mixtures: experts of a class, None for logistic regression; moe_l2: their L2 penalty.
    draws: frames sampled from a video, None for all; seed: of sampling and dropout.

    Raises UsageError for mixtures < 1 or draws < 1.
    """
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, ordered=False, name="sample")(**inputs)
    widths = widths_of(dataset) if fusion == "late" else ()
    frames = UnitFrames(widths)(frames) if normalization == "unit" else ReverseWhitening(dataset)(frames)
    if input_norm:
        frames = InputNorm(widths, name="input_norm")(frames)
    vectors = []
    for number, part in enumerate(split(frames, dataset) if fusion == "late" else [frames]):
        count, width = (clusters if number == 0 else clusters // 2), part.codes.shape[-1]
        vlad = NetVLAD(count, residual, width // reduction if reduction else None, name=f"vlad_{number}")(
            part
        )
        if non_local:
            block = count if non_local == "clusters" else width // 2
            vlad = NonLocal(block, temperature, tie_g_to_phi, name=f"non_local_{number}")(vlad)
        vectors.append(IntraNormalize(name=f"normalize_{number}")(vlad))
    vector = fuse(vectors)
    if dropout:
        vector = keras.layers.Dropout(dropout, seed=seed, name="dropout")(vector)
    vector = _hidden(vector, clusters, hidden, relu, widen)
    if gate:
        vector = ContextGate(name="context_gate")(vector)
    probabilities = classifier(vector, dataset, mixtures, moe_l2)
    if probability_gate:
        probabilities = ContextGate(dataset.single_label, name="probability_gate")(probabilities)
    return keras.Model(inputs, probabilities, name="netvlad")


def _hidden(vector: Tensor, clusters: int, hidden: int, relu: bool, widen: int | None) -> Tensor:
    """(B, I) -> (B, hidden), or (B, widen * hidden) with a second linear layer."""
    if relu:
        vector = relu6(vector, hidden, vector.shape[-1], "hidden")
    else:
        vector = linear(vector, hidden, clusters, "hidden")
    return linear(vector, widen * hidden, hidden, "hidden2") if widen else vector
