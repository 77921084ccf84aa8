"""NetVLAD in all forms in which it was submitted: WILLOW and first place, Liu & Liu, YT8M-T; baselines.

The defaults are WILLOW's gated NetVLAD (Miech, Laptev, Sivic 2017), which first place used in 2018. The
others:
* NetRVLAD: residual=False.
* Liu & Liu: input_norm=False, relu=True, widen=2, mixtures=5.
* YT8M-T's non-local NetVLAD: non_local="clusters" or "half", temperature, tie_g_to_phi, fusion="early".
* the baselines of the NeXtVLAD paper: normalization="whitening", input_norm=False, draws=None,
  dropout=0.5, mixtures=None, probability_gate=False, and reduction=4 for the small one.
"""

import keras

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.heads.experts import classifier
from yt8m_kit.layers.heads.gating import ContextGate
from yt8m_kit.layers.heads.hidden import fuse, linear, relu6
from yt8m_kit.layers.inputs.frames import split, video_inputs
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.sampling import Sample
from yt8m_kit.layers.inputs.whitening import ReverseWhitening
from yt8m_kit.layers.pooling.non_local import NonLocal
from yt8m_kit.layers.pooling.vlad import IntraNormalize, NetVLAD


def build(
    dataset: Dataset,
    *,
    clusters: int = 256,
    hidden: int = 1024,
    mixtures: int | None = 2,
    residual: bool = True,
    fusion: str = "late",
    normalization: str = "unit",
    input_norm: bool = True,
    reduction: int | None = None,
    non_local: str | None = None,
    temperature: float | None = None,
    tie_g_to_phi: bool = False,
    dropout: float = 0.0,
    relu: bool = False,
    widen: int | None = None,
    gate: bool = True,
    probability_gate: bool = True,
    draws: int | None = 300,
    moe_l2: float = 1e-6,
    seed: int = 0,
) -> keras.Model:
    """Sampled frames -> VLADs -> hidden -> context gate -> mixture of experts -> probability gate.

    fusion: "late", a VLAD for each feature, the first with `clusters`, the others with half as many; or
    "early", one VLAD over all features. reduction: a linear layer first cuts features to 1/reduction.
    non_local: a block on the VLAD before it is normalised, as wide as its "clusters" or "half" its features;
    temperature, tie_g_to_phi: see layers/non_local.py. relu: BN and relu6 after the hidden layer instead of a
    bias. widen: a second linear layer, of widen * hidden. mixtures: None for a logistic head.
    Raises UsageError for a value that is not among those named.
    """
    _among("fusion", fusion, ("late", "early"))
    _among("normalization", normalization, ("unit", "whitening"))
    _among("non_local", non_local, (None, "clusters", "half"))
    inputs = video_inputs(dataset)
    frames = Sample(draws, seed, name="sample")(**inputs)
    frames = UnitFrames()(frames) if normalization == "unit" else ReverseWhitening(dataset)(frames)
    if input_norm:
        frames = InputNorm(name="input_norm")(frames)
    vectors = []
    for number, part in enumerate(split(frames, dataset) if fusion == "late" else [frames]):
        count, width = (clusters if number == 0 else clusters // 2), part.codes.shape[-1]
        reduced = width // reduction if reduction else None
        vlad = NetVLAD(count, residual, reduced, name=f"vlad_{number}")(part)
        if non_local:
            block = count if non_local == "clusters" else width // 2
            vlad = NonLocal(block, temperature, tie_g_to_phi, name=f"non_local_{number}")(vlad)
        vectors.append(IntraNormalize(name=f"normalize_{number}")(vlad))
    vector = fuse(vectors)
    if dropout:
        vector = keras.layers.Dropout(dropout, seed=seed, name="dropout")(vector)
    if relu:
        vector = relu6(vector, hidden, vector.shape[-1], "hidden")
    else:
        vector = linear(vector, hidden, clusters, "hidden")
    if widen:
        vector = linear(vector, widen * hidden, hidden, "hidden2")
    if gate:
        vector = ContextGate(name="context_gate")(vector)
    probabilities = classifier(vector, dataset.classes, mixtures, moe_l2)
    if probability_gate:
        probabilities = ContextGate(name="probability_gate")(probabilities)
    return keras.Model(inputs, probabilities, name="netvlad")


def _among(name: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(map(str, allowed))}; got {name}={value}.")
