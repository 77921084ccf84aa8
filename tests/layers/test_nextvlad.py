"""NeXtVLAD's layers and its on-the-fly distillation against numpy."""

import numpy as np
import pytest

from tests.support.reference import (
    COUNTS,
    SMALL,
    all_frames,
    batch_norm,
    dequantize,
    near,
    random_video,
    scramble,
    sigmoid,
    softmax,
    unit,
)
from yt8m_kit import models
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.distillation import Distillation
from yt8m_kit.layers.heads.mixture import MixLogits
from yt8m_kit.layers.inputs.frames import aggregate_through
from yt8m_kit.layers.inputs.whitening import ReverseWhitening, multipliers
from yt8m_kit.layers.losses import LabelLoss
from yt8m_kit.layers.pooling.group_vlad import GroupVLAD

LONG = Dataset("long", (("rgb", 12), ("audio", 5)), classes=7, max_frames=300)


def prepared(dataset, counts):
    codes, counts = random_video(dataset, counts)
    x, mask = dequantize(codes, counts)
    factors = np.concatenate([multipliers(12), np.ones(5)])
    x = (x - np.concatenate([np.full(12, 4 / 512), np.zeros(5)])) * factors
    return ReverseWhitening(dataset)(all_frames(codes, counts)), x, mask


@pytest.mark.parametrize(("dataset", "counts"), [(SMALL, COUNTS), (SMALL, [1]), (LONG, [300, 57])])
@pytest.mark.parametrize("training", [True, False])
def test_group_vlad(dataset, counts, training):
    frames, x, mask = prepared(dataset, counts)
    groups, clusters, batch, length = 2, 3, len(counts), dataset.max_frames
    layer = GroupVLAD(clusters, groups)
    layer(frames)
    scramble(layer)
    w = {w.path.split("/", 1)[1]: np.asarray(w.numpy(), np.float64) for w in layer.weights}
    y = x @ w["expand"] + w["expand_bias"]
    attention = sigmoid(y @ w["attention"] + w["attention_bias"]) * mask[..., None]
    # Padding counts in these moments.
    logits = batch_norm(y @ w["assignment"], layer.norm, None, training)
    a = softmax(logits.reshape(batch, length * groups, clusters))
    a = a * attention.reshape(batch, length * groups, 1)
    y = y.reshape(batch, length * groups, 17)
    v = np.einsum("btd,btk->bdk", y, a) - w["centres"] * a.sum(1)[:, None, :]
    flat = unit(v, axis=1).reshape(batch, -1)
    near(layer(frames, training=training), batch_norm(flat, layer.vlad_norm, None, training), 5e-5)


def test_aggregate_through_a_basis():
    frames, x, _ = prepared(SMALL, COUNTS)
    rng = np.random.default_rng(0)
    a = rng.random((4, 9, 2, 3)).astype(np.float32)
    basis = rng.standard_normal((17, 2, 5)).astype(np.float32)
    expected = np.einsum("btn,ngd,btgk->bdk", x, basis, a)
    scaled = a * np.asarray(frames.row)[:, :, None, None]
    near(aggregate_through(scaled, a.sum(1), frames, basis), expected)


def test_groups_must_divide_the_expanded_features():
    frames, _, _ = prepared(SMALL, COUNTS)
    with pytest.raises(UsageError, match="expanded features must be divisible by groups; got 34, groups=4"):
        GroupVLAD(3, 4)(frames)


def test_mixture_of_logits():
    rng = np.random.default_rng(0)
    mean, logits = rng.standard_normal((6, 5)), rng.standard_normal((6, 3, 4))
    arguments = mean.astype(np.float32), list(logits.astype(np.float32).transpose(1, 0, 2))
    layer = MixLogits()
    layer(*arguments)
    scramble(layer)
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    gate = softmax(batch_norm(mean, layer.norm) @ kernel + bias)
    outputs = layer(*arguments, training=True)
    near(outputs["mixture_logits"], (gate[..., None] * logits).sum(1))
    near(outputs["logits"], logits)


def test_distillation_loss():
    rng = np.random.default_rng(0)
    labels, mixture = (rng.random((6, 4)) < 0.3).astype(float), rng.standard_normal((6, 4))
    logits = rng.standard_normal((6, 3, 4))
    expected = 0.0
    for z in logits.transpose(1, 0, 2):
        p = sigmoid(z)
        expected -= (labels * np.log(p + 1e-8) + (1 - labels) * np.log(1 - p + 1e-8)).sum(1).mean()
        teacher, student = softmax(mixture / 3), softmax(z / 3)
        expected += 9 * (teacher * np.log((teacher + 1e-8) / (student + 1e-8))).sum(1).mean()
    outputs = {"mixture_logits": mixture.astype(np.float32), "logits": logits.astype(np.float32)}
    near(Distillation(None, 3.0, 9.0).loss(outputs, labels.astype(np.float32), LabelLoss(1e-8)), expected)


def test_the_training_model_is_the_model():
    dataset = Dataset("toy", (("rgb", 16), ("audio", 8)), classes=11, max_frames=12)
    shape = {"clusters": 4, "groups": 4, "hidden": 8, "reduction": 2}
    model = models.build("nextvlad", dataset, branches=3, **shape)
    training = model.distillation.model
    for name in ("trainable_variables", "non_trainable_variables", "weights"):
        assert [v.path for v in getattr(training, name)] == [v.path for v in getattr(model, name)]
    codes, counts = random_video(dataset, [12, 5])
    outputs = training({"frames": codes, "num_frames": counts})
    near(outputs["probabilities"], model({"frames": codes, "num_frames": counts}), 0)
    assert outputs["logits"].shape == (2, 3, 11)
