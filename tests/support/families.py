"""Toy hyperparameters of each family and variant, and videos to train and predict on."""

from typing import Any

import numpy as np
from keras import ops

from yt8m_kit import models
from yt8m_kit.dataset import Dataset
from yt8m_kit.models.variants import netvlad

TOY = Dataset("toy", (("rgb", 16), ("audio", 8)), classes=11, max_frames=12)

COUNTS = np.array([12, 1, 7, 3, 12, 5, 9, 2], np.int32)

NETVLAD = {"clusters": 4, "hidden": 8, "draws": 12}
NEXTVLAD = {"clusters": 4, "groups": 4, "hidden": 8, "reduction": 2}
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "attention_pooling": ("attention_pooling", {"hidden": 16, "layers": 2, "dropout": 0.1}),
    "attention_pooling-decision": (
        "attention_pooling",
        {"hidden": 16, "layers": 1, "level": "decision", "dropout": 0.0, "draws": 12},
    ),
    "attention_pooling-softmax": (
        "attention_pooling",
        {"hidden": 16, "layers": 2, "attention": "softmax", "dropout": 0.0, "mixtures": 2},
    ),
    "dbof": ("dbof", {"clusters": 16, "hidden": 8, "draws": 6}),
    "dbof-mean": ("dbof", {"clusters": 16, "hidden": 8, "pooling": "mean", "draws": None}),
    "frame_logistic": ("frame_logistic", {}),
    "gated_dbof": ("gated_dbof", {"clusters": 16, "hidden": 8, "draws": 12}),
    "gru": ("gru", {"units": 8}),
    "gru-bidirectional": (
        "gru",
        {"units": 8, "layers": 1, "bidirectional": 4, "state": "top", "mixtures": None},
    ),
    "hg_nl": ("hg_nl", {"reduction": 3, "query_groups": 4, "value_groups": 2}),
    "hg_nl-shared": ("hg_nl", {"reduction": 3, "query_groups": 4, "value_groups": 2, "shared": True}),
    "hg_nl-plain": ("hg_nl", {"grouped": False, "reduction": 3, "mixtures": None}),
    "lstm": ("lstm", {"units": 8}),
    "lstm-all": ("lstm", {"units": 8, "state": "all", "draws": 5}),
    "lstm-bidirectional": (
        "lstm",
        {"units": 8, "layers": 1, "bidirectional": 4, "state": "cell", "mixtures": None},
    ),
    "netfv": ("netfv", NETVLAD),
    "netfv-coupled": ("netfv", NETVLAD | {"coupled": True, "draws": None}),
    "netvlad": ("netvlad", NETVLAD),
    "netvlad-masked": ("netvlad", NETVLAD | {"draws": None}),
    "netrvlad": ("netvlad", NETVLAD | netvlad.NETRVLAD),
    "netvlad-liu": ("netvlad", NETVLAD | netvlad.LIU),
    "netvlad-non-local": ("netvlad", NETVLAD | {"non_local": "clusters", "temperature": 1 / 64}),
    "netvlad-early": ("netvlad", NETVLAD | {"non_local": "half", "tie_g_to_phi": True, "fusion": "early"}),
    "netvlad-small": ("netvlad", NETVLAD | netvlad.SMALL | {"dropout": 0.1}),
    "nextvlad": ("nextvlad", NEXTVLAD),
    "nextvlad-mixture": ("nextvlad", NEXTVLAD | {"branches": 2}),
    "soft_bof": ("soft_bof", {"clusters": 16, "hidden": 8, "draws": 12}),
    "stnet": ("stnet", {"width": 8, "segments": 3}),
    "stnet-residual": ("stnet", {"width": 8, "segments": 3, "residual": True, "mixtures": 2}),
    "tsn": ("tsn", {"hidden": 8, "prediction_segments": 12}),
    "video_level": ("video_level", {}),
    "video_level-logistic": ("video_level", {"mixtures": None}),
    "soft_bof-max": ("soft_bof", {"clusters": 16, "hidden": 8, "maximum": True, "relu": True, "draws": None}),
}
# Families whose output depends on the order of frames.
ORDERED = {
    *("gru", "gru-bidirectional", "lstm", "lstm-all", "lstm-bidirectional", "stnet", "stnet-residual"),
}


def build(row):
    family, hyperparameters = ROWS[row]
    return models.build(family, TOY, **hyperparameters)


def videos(seed=0):
    """Inputs with garbage after num_frames, and labels that can be learned from the mean frame."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((len(COUNTS), TOY.classes)) < 0.2).astype(np.float32)
    means = labels @ rng.uniform(-60, 60, (TOY.classes, TOY.width)) + 128
    noise = rng.normal(0, 20, (len(COUNTS), TOY.max_frames, TOY.width))
    frames = np.clip(means[:, None, :] + noise, 0, 255).astype(np.uint8)
    frames[np.arange(TOY.max_frames) >= COUNTS[:, None]] = 255
    return {"frames": frames, "num_frames": COUNTS}, labels


def predict(model, inputs):
    return ops.convert_to_numpy(model(inputs, training=False))


def settled(model, inputs):
    """The model after one batch with momentum 0: moving statistics of the data."""
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "momentum")]
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(layers, before):
        layer.momentum = momentum
    return model
