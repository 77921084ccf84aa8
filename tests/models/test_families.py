"""Properties that a model of any family must have, one test each."""

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.families import (
    COUNTS,
    NETVLAD,
    NEXTVLAD,
    ORDERED,
    ROWS,
    TOY,
    build,
    predict,
    settled,
    videos,
)
from yt8m_kit import models
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.sampling import average_rounds
from yt8m_kit.layers.losses import LabelLoss

GOLDEN = Path(__file__).parents[1] / "golden"
# Keras saves variables through an __array__ whose signature numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZES = list(csv.DictReader((GOLDEN / "sizes.csv").read_text().splitlines()))


def test_every_family_has_a_row():
    assert {family for family, _ in ROWS.values()} == set(models.families())


@pytest.mark.parametrize("row", ROWS)
def test_family(row, tmp_path):
    inputs, _ = videos()
    model = settled(build(row), inputs)
    probabilities = predict(model, inputs)
    assert probabilities.shape == (len(COUNTS), TOY.classes)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    _check_padding(model, inputs, probabilities)
    _check_batch(model, inputs, probabilities)
    if row not in ORDERED:
        _check_order(model, inputs, probabilities)
    model.save_weights(tmp_path / "model.weights.h5")
    other = build(row)
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(predict(other, inputs), probabilities)


def _check_padding(model, inputs, probabilities):
    clean = inputs["frames"].copy()
    clean[np.arange(TOY.max_frames) >= COUNTS[:, None]] = 0
    np.testing.assert_array_equal(predict(model, inputs | {"frames": clean}), probabilities)


def _check_batch(model, inputs, probabilities):
    single = {name: array[2:3] for name, array in inputs.items()}
    np.testing.assert_allclose(predict(model, single)[0], probabilities[2], atol=1e-5)


def _check_order(model, inputs, probabilities):
    """Reversed videos; only full ones, as draws of shorter ones may select other frames."""
    full = np.equal(COUNTS, TOY.max_frames)
    turned = {"frames": inputs["frames"][full, ::-1], "num_frames": COUNTS[full]}
    if all(getattr(layer, "draws", None) in (None, TOY.max_frames) for layer in model.layers):
        np.testing.assert_allclose(predict(model, turned), probabilities[full], atol=1e-5)


DRAWING = [row for row, (_, hyperparameters) in ROWS.items() if "draws" in hyperparameters]


@pytest.mark.parametrize("row", DRAWING)
def test_as_many_draws_as_frames_are_all_frames(row):
    """Of full videos, which have no padding, whether frames are drawn or masked."""
    family, hyperparameters = ROWS[row]
    full = np.equal(COUNTS, TOY.max_frames)
    inputs = {name: array[full] for name, array in videos()[0].items()}
    drawn, whole = (
        models.build(family, TOY, **hyperparameters | {"draws": draws}) for draws in (TOY.max_frames, None)
    )
    whole.set_weights(settled(drawn, inputs).get_weights())
    np.testing.assert_allclose(predict(drawn, inputs), predict(whole, inputs), atol=1e-5)


# A row of each family, and the one whose loss has terms of its branches.
HEADS = [*{family: row for row, (family, _) in reversed(ROWS.items())}.values(), "nextvlad-mixture"]


@pytest.mark.parametrize("row", HEADS)
def test_family_of_a_single_label_data_set(row):
    """Probabilities sum to 1, the weights are those of a multi-label model, all get finite gradients."""
    tf = pytest.importorskip("tensorflow")
    inputs, _ = videos()
    family, hyperparameters = ROWS[row]
    model = models.build(family, replace(TOY, single_label=True), **hyperparameters)
    assert _outline(model) == _outline(build(row))
    np.testing.assert_allclose(predict(settled(model, inputs), inputs).sum(axis=1), 1, atol=1e-5)
    labels = np.eye(TOY.classes, dtype=np.float32)[np.arange(len(COUNTS)) % TOY.classes]
    with tf.GradientTape() as tape:
        loss = LabelLoss(1e-8, single_label=True)(labels, model(inputs, training=True))
    for variable, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_weights)):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path


def _outline(model):
    return [(weight.path, tuple(weight.shape)) for weight in model.weights]


@pytest.mark.parametrize("row", ROWS)
def test_family_learns(row):
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(0)
    inputs, labels = videos()
    model = build(row)
    variables = model.trainable_variables
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-8, clipnorm=1.0)
    optimizer.build(variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            p = model(inputs, training=True)
            terms = labels * tf.math.log(p + 1e-5) + (1 - labels) * tf.math.log(1 - p + 1e-5)
            loss = -tf.reduce_mean(tf.reduce_sum(terms, axis=1)) + tf.add_n([*model.losses, 0.0])
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(gradients, variables)
        return loss, gradients

    first, gradients = step()
    assert [v.path for v, g in zip(variables, gradients) if g is None] == []
    assert [v.path for v, g in zip(variables, gradients) if not np.isfinite(g).all()] == []
    for _ in range(29):
        last, _ = step()
    assert float(last) < 0.9 * float(first)


@pytest.mark.parametrize("row", ROWS)
def test_family_in_bfloat16(row):
    inputs, _ = videos()
    full = settled(build(row), inputs)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build(row)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    assert half.output.dtype == "float32"
    np.testing.assert_allclose(predict(half, inputs), predict(full, inputs), atol=0.03)


ROUNDS = 3
BAG = {"clusters": 16, "hidden": 8}
# Hyperparameters, and how often three rounds run the model.
SAMPLED: list[tuple[str, dict[str, Any], int]] = [
    ("dbof", BAG | {"draws": 6}, 1),
    ("dbof", BAG | {"draws": 8, "pooling": "mean"}, 1),
    ("soft_bof", BAG | {"draws": 12}, 1),
    ("soft_bof", BAG | {"draws": 4, "maximum": True}, 1),
    ("gated_dbof", BAG | {"draws": 8}, 1),
    ("netvlad", NETVLAD | {"draws": 9}, 1),
    ("netvlad", NETVLAD | {"draws": 9, "reduction": 4}, 1),
    ("netvlad", NETVLAD | {"non_local": "half", "fusion": "early"}, 1),
    ("netfv", NETVLAD | {"draws": 20}, 1),
    ("netvlad", NETVLAD | {"draws": 3}, ROUNDS),  # all rounds together draw fewer than twelve frames
    ("lstm", {"units": 8, "draws": 12}, ROUNDS),
    ("nextvlad", NEXTVLAD, 1),
]


@pytest.mark.parametrize(("family", "hyperparameters", "runs"), SAMPLED)
def test_rounds_are_the_mean_of_each(family, hyperparameters, runs, monkeypatch):
    """Of videos with fewer and with more frames than draws, and of one without frames."""
    inputs, _ = videos()
    inputs["num_frames"] = np.where(COUNTS == 1, 0, COUNTS)
    model = settled(models.build(family, TOY, **hyperparameters), inputs)
    sample, single, calls = model.get_layer("sample"), [], []
    for sample.round in range(ROUNDS):
        single.append(predict(model, inputs))
    sample.round = 0
    forward = sample.call

    def counted(*args, **options):
        calls.append(1)
        return forward(*args, **options)

    monkeypatch.setattr(sample, "call", counted)
    found = ops.convert_to_numpy(average_rounds(model, inputs, ROUNDS))
    np.testing.assert_allclose(found, np.mean(single, axis=0), rtol=0, atol=1e-6)
    assert len(calls) == runs
    assert (sample.round, sample.rounds) == (0, 1)


FIRST = [next(row for row, (name, _) in ROWS.items() if name == family) for family in models.families()]
OTHERS = [row for row in ROWS if row not in FIRST]


@pytest.mark.long
@pytest.mark.parametrize(
    "rows", [pytest.param(FIRST, id="families"), pytest.param(OTHERS, id="variants", marks=pytest.mark.long)]
)
def test_jax_agrees(rows, tmp_path):
    """The same weights on the other backend: equal predictions, and a finite gradient for every weight."""
    pytest.importorskip("jax")
    inputs, _ = videos()
    expected = {}
    for row in rows:
        model = settled(build(row), inputs)
        model.save_weights(tmp_path / f"{row}.weights.h5")
        expected[row] = predict(model, inputs)
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": ":".join(sys.path)}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiles faster
    subprocess.run([sys.executable, __file__, str(tmp_path), *rows], check=True, env=environment)
    actual = np.load(tmp_path / "jax.npz")
    for row in rows:
        np.testing.assert_allclose(actual[row], expected[row], atol=1e-4, err_msg=row)
        assert actual[f"{row}/finite"].all(), row


def _predict_with_jax(directory, rows):
    import jax

    inputs, labels = videos()
    results: dict[str, Any] = {}
    for row in rows:
        model = build(row)
        model.load_weights(directory / f"{row}.weights.h5")
        state = [[v.value for v in vs] for vs in (model.trainable_variables, model.non_trainable_variables)]

        def loss(trainable, rest, model=model):
            p, _, losses = model.stateless_call(trainable, rest, inputs, training=True, return_losses=True)
            return -(labels * ops.log(p + 1e-5) + (1 - labels) * ops.log(1 - p + 1e-5)).sum() + sum(losses)

        forward = jax.jit(lambda t, n, model=model: model.stateless_call(t, n, inputs, training=False)[0])
        results[row] = np.asarray(forward(*state))
        results[f"{row}/finite"] = np.array([np.isfinite(g).all() for g in jax.jit(jax.grad(loss))(*state)])
    np.savez(directory / "jax.npz", **results)


@pytest.mark.parametrize("row", SIZES, ids=lambda row: f"{row['recipe']}-{row['member']}")
def test_published_sizes(row):
    weights = models.weights(row["family"], YOUTUBE8M_2018, **json.loads(row["hyperparameters"]))
    sizes = [(int(np.prod(weight.shape)), weight.trainable) for weight in weights]
    assert sum(size for size, _ in sizes) == int(row["parameters_saved"])
    assert sum(size for size, trainable in sizes if trainable) == int(row["parameters_trainable"])


def test_outline_is_the_built_model():
    model = build("netvlad")
    outline = models.weights("netvlad", TOY, **NETVLAD)
    assert outline == [(w.path, tuple(w.shape), w.trainable) for w in model.weights]


def test_build_names_what_there_is():
    with pytest.raises(UsageError, match=r"family must be one of .*netvlad.*; got netvlat\. Did you mean"):
        models.build("netvlat", TOY)
    with pytest.raises(UsageError, match=r"dbof has no hyperparameter cluster; it has: clusters, hidden"):
        models.build("dbof", TOY, cluster=3)
    with pytest.raises(UsageError, match="fusion must be one of late, early; got 'middle'"):
        models.build("netvlad", TOY, fusion="middle")


if __name__ == "__main__":
    _predict_with_jax(Path(sys.argv[1]), sys.argv[2:])
