"""Graphs whose matrix products are in bfloat16: agreement with float32, dtypes in memory, provenance."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support.families import ROWS, TOY, build, settled, videos
from yt8m_kit import models
from yt8m_kit.errors import UsageError
from yt8m_kit.export.blended_graph import PRECISION, mixed
from yt8m_kit.export.export import encoded
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.run import Experiment

# Families that use matrices in every way that there is; all others in the long tests.
TESTED = ["frame_logistic", "gru", "hg_nl", "netvlad-non-local", "nextvlad", "netfv"]
OTHERS = [row for row in ROWS if row not in TESTED]


def part_of(model, row, arithmetic, format="float32"):
    family, settings = ROWS[row]
    outline = models.outline(family, TOY, precision=PRECISION[arithmetic], **settings)
    formats = {variable.path: format for variable in model.variables}
    return encoded(model, outline, 1.0, formats, {})


def probabilities(part, inputs):
    """Of a part, and the dtypes that its weights have."""
    values = [tf.cast(tf.constant(stored.arrays["codes"]), part.dtype(stored)) for _, stored in part.weights]
    run = tf.function(lambda **arrays: mixed([part], [values], arrays, 2))
    found = run(**{name: tf.constant(array) for name, array in inputs.items()})
    return found.numpy(), [value.dtype for value in values]


def check_family(row):
    inputs, _ = videos()
    model = settled(build(row), inputs)
    exact, _ = probabilities(part_of(model, row, "float32"), inputs)
    found, dtypes = probabilities(part_of(model, row, "bfloat16"), inputs)
    assert tf.bfloat16 in dtypes
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.015


@pytest.mark.parametrize("row", TESTED)
def test_a_family_agrees_with_its_float32_products(row):
    check_family(row)


@pytest.mark.long
@pytest.mark.parametrize("row", OTHERS)
def test_every_other_family_agrees_with_its_float32_products(row):
    check_family(row)


def loaded_with_dtypes(part, folder):
    """The loaded graph, and the dtypes of the weights that it multiplies by."""
    write_saved_model(TOY, [part], 1, folder)
    graph = tf.saved_model.load(str(folder))
    definition = graph.signatures["serving_default"].graph.as_graph_def()
    nodes = [node for function in definition.library.function for node in function.node_def]
    dtypes = {
        tf.as_dtype(node.attr["T"].type).name for node in nodes if node.op in ("MatMul", "BatchMatMulV2")
    }
    return graph, dtypes


@pytest.mark.parametrize("format", ["bfloat16", "uint8"])
def test_an_exported_graph_multiplies_in_bfloat16(tmp_path, format):
    inputs, _ = videos()
    row = "netvlad"
    model = settled(build(row), inputs)
    exact, plain = loaded_with_dtypes(part_of(model, row, "float32", format), tmp_path / "float32")
    found, dtypes = loaded_with_dtypes(part_of(model, row, "bfloat16", format), tmp_path / "bfloat16")
    assert "bfloat16" not in plain
    assert "bfloat16" in dtypes
    arrays = {name: tf.constant(array) for name, array in inputs.items()}
    expected = exact.signatures["serving_default"](**arrays)["probabilities"]
    given = found.signatures["serving_default"](**arrays)["probabilities"]
    assert given.dtype == tf.float32
    np.testing.assert_allclose(given, expected, atol=0.015)


def test_matrices_stored_as_bfloat16_are_not_decoded(tmp_path):
    inputs, _ = videos()
    model = settled(build("netvlad"), inputs)
    graph, _ = loaded_with_dtypes(part_of(model, "netvlad", "bfloat16", "bfloat16"), tmp_path / "graph")
    decoded = [weight for weight in graph.weights[0] if not isinstance(weight, tf.Variable)]
    assert all(len(weight.codes.shape) == 1 for weight in decoded)
    assert any(weight.dtype == tf.bfloat16 for weight in graph.weights[0] if isinstance(weight, tf.Variable))


def export_settings(arithmetic):
    blend = Ensemble(("small",), **arithmetic)
    recipe = Recipe("r", "a test", TOY, {"small": Member("frame_logistic", steps=1)}, {"blend": blend})
    return Stages(Experiment(recipe, Path("data"), Path("runs"))).export("blend").settings


def test_only_another_arithmetic_changes_the_sources_of_a_graph():
    plain = export_settings({})
    assert export_settings({"arithmetic": "float32"}) == plain
    assert export_settings({"arithmetic": "bfloat16"}) == plain | {"arithmetic": "bfloat16"}


def test_an_unknown_arithmetic_is_refused():
    with pytest.raises(UsageError, match=r"arithmetic must be .*float32.*bfloat16.*; got 'int8'"):
        export_settings({"arithmetic": "int8"})
