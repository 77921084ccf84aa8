"""Frames against explicit numpy: dequantization, normalization, BatchNorm, matmul."""

import csv

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.reference import (
    SMALL,
    all_frames,
    batch_norm,
    dequantize,
    near,
    random_video,
    scramble,
    unit,
)
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import aggregate, dequantized, floats, gather, project, split
from yt8m_kit.layers.inputs.normalization import InputNorm, UnitFrames
from yt8m_kit.layers.inputs.projection import Projection
from yt8m_kit.layers.inputs.whitening import ReverseWhitening, load_multipliers, multipliers
from yt8m_kit.layers.pooling.mean import MeanFrame


def test_dequantized_bytes_are_the_official_floats_and_padding_is_zero():
    codes, counts = random_video()
    near(floats(all_frames(codes, counts)), dequantize(codes, counts)[0])


@pytest.mark.parametrize("widths", [(), (12, 5)])
def test_unit_frames_norm_is_over_all_features_together(widths):
    codes, counts = random_video()
    frames = UnitFrames(widths)(all_frames(codes, counts))
    near(floats(frames), unit(dequantize(codes, counts)[0]))
    for part, columns in zip(split(frames, SMALL), (slice(0, 12), slice(12, 17))):
        near(floats(part), unit(dequantize(codes, counts)[0])[..., columns])


@pytest.mark.parametrize("widths", [(), (12, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_input_norm_is_batch_norm_of_the_floats(training, widths):
    codes, counts = random_video()
    x, mask = dequantize(codes, counts)
    frames, norm = UnitFrames()(all_frames(codes, counts)), InputNorm(widths)
    norm(frames)
    scramble(norm)
    before = [np.asarray(w, np.float64) for w in norm.get_weights()]
    expected = batch_norm(unit(x), norm, mask, training)
    near(floats(norm(frames, training=training)), expected)
    after = norm.get_weights()
    if training:
        rows = unit(x)[mask > 0]
        near(after[2], before[2] * 0.999 + rows.mean(0) * 0.001, 1e-6)
        near(after[3], before[3] * 0.999 + rows.var(0) * 0.001, 1e-6)
    else:
        near(after[2], before[2], 1e-7)


def test_momentum_zero_takes_the_statistics_of_one_batch():
    codes, counts = random_video()
    norm = InputNorm()
    norm.momentum = 0.0
    norm(UnitFrames()(all_frames(codes, counts)), training=True)
    x, mask = dequantize(codes, counts)
    near(norm.moving_mean.numpy(), unit(x)[mask > 0].mean(0), 1e-6)
    near(norm.moving_variance.numpy(), unit(x)[mask > 0].var(0), 1e-6)


def test_project_aggregate_and_mean():
    codes, counts = random_video()
    rng = np.random.default_rng(2)
    kernel, weights = rng.standard_normal((17, 3)), rng.random((4, 9, 3))
    norm = InputNorm()
    frames = norm(UnitFrames()(all_frames(codes, counts)), training=True)
    x, mask = dequantize(codes, counts)
    x = batch_norm(unit(x), norm, mask)
    near(project(frames, ops.convert_to_tensor(kernel, "float32")), x @ kernel)
    near(aggregate(ops.convert_to_tensor(weights, "float32"), frames), np.einsum("btd,btk->bdk", x, weights))
    near(MeanFrame()(frames), (x * mask[..., None]).sum(1) / counts[:, None])


def test_gather_takes_rows_video_by_video():
    codes, _ = random_video()
    indices = np.array([[0, 0], [8, 1], [3, 3], [5, 2]])
    assert np.array_equal(ops.convert_to_numpy(gather(codes, indices)), codes[np.arange(4)[:, None], indices])


def test_projection_with_and_without_basis():
    codes, counts = random_video()
    x, mask = dequantize(codes, counts)
    frames = UnitFrames()(all_frames(codes, counts))
    layer = Projection(4)
    layer.build(17)
    scramble(layer)
    near(layer(frames, training=True), batch_norm(unit(x) @ layer.get_weights()[0], layer.norm, mask))
    basis = np.random.default_rng(3).standard_normal((17, 6)).astype(np.float32)
    layer = Projection(4)
    layer.build(6)
    expected = batch_norm(unit(x) @ basis @ layer.get_weights()[0], layer.norm, mask)
    near(layer(frames, basis=ops.convert_to_tensor(basis), training=True), expected, 2e-5)


def test_reverse_whitening_multiplies_rgb_alone():
    codes, counts = random_video()
    x, _ = dequantize(codes, counts)
    factors = np.concatenate([multipliers(12), np.ones(5)])
    steps = np.concatenate([np.full(12, 4 / 512), np.zeros(5)])
    near(floats(ReverseWhitening(SMALL)(all_frames(codes, counts))), (x - steps) * factors)


def test_multipliers_are_near_the_published_ones(real_data):
    rows = csv.DictReader((real_data / "pca_multipliers.csv").read_text().splitlines())
    published = np.array([float(row["multiplier"]) for row in rows])
    error = multipliers(1024) / published - 1
    assert np.sqrt(np.mean(error**2)) < 0.0044
    assert np.abs(error).max() < 0.054


def test_reverse_whitening_reads_eigenvalues(tmp_path):
    np.save(tmp_path / "eigenvals.npy", np.array([[4.0], [9.0], [16.0]], np.float32))
    near(load_multipliers(tmp_path / "eigenvals.npy", 2), [2.0001, 3.0001])
    with pytest.raises(UsageError, match="needs 5 multipliers; got 3"):
        load_multipliers(tmp_path / "eigenvals.npy", 5)
    with pytest.raises(UsageError, match="must be a readable"):
        load_multipliers(tmp_path / "none.npy", 5)


@pytest.mark.parametrize("operation", ["project", "aggregate"])
def test_bfloat16_folding_is_as_near_as_bfloat16_floats(operation):
    """The offset of bytes around 127 must not cancel the signal when products are rounded."""
    codes, counts = random_video(Dataset("wide", (("rgb", 512),), 1, max_frames=100), [100] * 4)
    norm = InputNorm()
    frames = norm(UnitFrames()(all_frames(codes, counts)), training=True)
    values = floats(frames)
    rng = np.random.default_rng(0)
    shape = (512, 16) if operation == "project" else (4, 100, 16)
    other = ops.convert_to_tensor(rng.random(shape), "float32")
    equation = "btd,dk->btk" if operation == "project" else "btd,btk->bdk"
    exact = np.einsum(equation, *(np.asarray(x, np.float64) for x in (values, other)))
    naive = ops.einsum(equation, ops.cast(values, "bfloat16"), ops.cast(other, "bfloat16"))
    if operation == "project":
        folded = project(frames, other, "bfloat16")
    else:
        folded = aggregate(other, frames, "bfloat16")
    errors = [
        np.square(ops.convert_to_numpy(ops.cast(x, "float32")) - exact).mean() ** 0.5 for x in (folded, naive)
    ]
    assert errors[0] < 1.1 * errors[1]


class Plain(keras.layers.Layer):
    """Explicit computation of the folded layers: (B, T, D) uint8 without padding -> (B, D, K)."""

    def __init__(self):
        super().__init__()
        self.input_norm, self.norm = (
            keras.layers.BatchNormalization(momentum=0.999, epsilon=1e-3) for _ in range(2)
        )

    def build(self, codes_shape):
        self.kernel = self.add_weight(shape=(codes_shape[-1], 4), name="kernel")

    def call(self, codes, training=False):
        x = ops.cast(codes, "float32") * (4 / 255) + (4 / 512 - 2)
        x = x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))
        x = self.input_norm(x, training=training)
        assign = ops.softmax(self.norm(ops.matmul(x, self.kernel), training=training))
        return ops.einsum("btd,btk->bdk", x, assign)


class Folded(keras.layers.Layer):
    """The same by the folded layers."""

    def __init__(self):
        super().__init__(autocast=False)
        self.input_norm, self.projection = InputNorm(), Projection(4)
        self.norm = self.projection.norm

    def build(self, codes_shape):
        self.projection.build(codes_shape[-1])
        self.kernel = self.projection.kernel

    def call(self, codes, training=False):
        real = ops.ones(codes.shape[:2])
        frames = self.input_norm(UnitFrames()(dequantized(codes, real, real)), training=training)
        return aggregate(ops.softmax(self.projection(frames, training=training)), frames)


def test_folding_changes_neither_values_nor_gradients():
    tf = pytest.importorskip("tensorflow")
    codes = np.random.default_rng(0).integers(0, 256, (3, 40, 48), dtype=np.uint8)
    target = np.random.default_rng(1).standard_normal((3, 48, 4)).astype(np.float32)
    outcomes = []
    for layer in (Plain(), Folded()):
        layer(codes)
        norms = (layer.input_norm, layer.norm)
        weights = [layer.kernel, *(w for norm in norms for w in (norm.gamma, norm.beta))]
        rng = np.random.default_rng(2)
        for weight in weights:
            weight.assign(rng.standard_normal(weight.shape) * 0.5 + 0.5)
        with tf.GradientTape() as tape:
            value = layer(codes, training=True)
            loss = ops.sum(value * target)
        outcomes.append([value, *tape.gradient(loss, [w.value for w in weights])])
    for plain, folded in zip(*outcomes):
        near(folded, plain, 1e-4)
