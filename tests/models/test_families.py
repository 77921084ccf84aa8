"""Every family, one test each: what a model must do whatever it is made of."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from yt8m_kit import models
from yt8m_kit.errors import UsageError
from yt8m_kit.spec import YOUTUBE8M_2018, Dataset

TOY = Dataset("toy", (("rgb", 16), ("audio", 8)), classes=11, max_frames=12)
# Keras saves variables through an __array__ that numpy 2 finds old-fashioned.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

COUNTS = np.array([12, 1, 7, 3, 12, 5, 9, 2], np.int32)
SIZES = list(csv.DictReader((Path(__file__).parent / "golden" / "sizes.csv").read_text().splitlines()))

NETVLAD = {"clusters": 4, "hidden": 8, "draws": 12}
NEXTVLAD = {"clusters": 4, "groups": 4, "hidden": 8, "reduction": 2}
ROWS = {
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
    "netrvlad": ("netvlad", NETVLAD | {"residual": False}),
    "netvlad-liu": ("netvlad", NETVLAD | {"input_norm": False, "relu": True, "widen": 2, "mixtures": 5}),
    "netvlad-non-local": ("netvlad", NETVLAD | {"non_local": "clusters", "temperature": 1 / 64}),
    "netvlad-early": ("netvlad", NETVLAD | {"non_local": "half", "tie_g_to_phi": True, "fusion": "early"}),
    "netvlad-small": (
        "netvlad",
        NETVLAD
        | {"normalization": "whitening", "input_norm": False, "reduction": 4, "draws": None}
        | {"dropout": 0.1, "mixtures": None, "probability_gate": False},
    ),
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
# The order of frames means something to these.
ORDERED = {"gru", "gru-bidirectional", "lstm", "lstm-all", "lstm-bidirectional", "stnet", "stnet-residual"}


def build(row):
    family, hyperparameters = ROWS[row]
    return models.build(family, TOY, **hyperparameters)


def videos(seed=0):
    """Inputs with garbage after num_frames, and labels that the frames' means give away."""
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
    """The model after one batch with momentum 0: moving statistics that belong to the data."""
    layers = [layer for layer in model._flatten_layers() if hasattr(layer, "momentum")]
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(layers, before):
        layer.momentum = momentum
    return model


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
    """Reversed videos; full ones only, for draws may take other frames than before where there are fewer."""
    full = np.equal(COUNTS, TOY.max_frames)
    turned = {"frames": inputs["frames"][full, ::-1], "num_frames": COUNTS[full]}
    if all(getattr(layer, "draws", None) in (None, TOY.max_frames) for layer in model.layers):
        np.testing.assert_allclose(predict(model, turned), probabilities[full], atol=1e-5)


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


FIRST = [next(row for row, (name, _) in ROWS.items() if name == family) for family in models.families()]
OTHERS = [row for row in ROWS if row not in FIRST]


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
    results = {}
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
    with pytest.raises(UsageError, match=r"family must be one of .*netvlad.*; got netvlat\."):
        models.build("netvlat", TOY)
    with pytest.raises(UsageError, match=r"dbof has no hyperparameter cluster; it has: clusters, hidden"):
        models.build("dbof", TOY, cluster=3)
    with pytest.raises(UsageError, match="fusion must be one of late, early; got fusion=middle"):
        models.build("netvlad", TOY, fusion="middle")


def test_missing_hyperparameters_are_named():
    def needy(dataset, *, width, depth=3): ...

    with pytest.raises(UsageError, match=r"needy needs the hyperparameter width; it has: width, depth\."):
        models.check("needy", needy, {"depth": 1})


if __name__ == "__main__":
    _predict_with_jax(Path(sys.argv[1]), sys.argv[2:])
