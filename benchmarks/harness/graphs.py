"""For the benchmarks, nothing to run here: graphs of members with random weights, which run as trained ones.

Shapes: B videos, C classes.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.baselines import naive
from benchmarks.harness import (
    compare,
    quiet,  # noqa: F401
)
from yt8m_kit import models
from yt8m_kit.codecs.encoding import decode
from yt8m_kit.codecs.formats import Encoded, format_of
from yt8m_kit.dataset import YOUTUBE8M_2018, Dataset
from yt8m_kit.export.blended_graph import Part, mixed
from yt8m_kit.export.export import encoded
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.inference.member_model import model_of
from yt8m_kit.metrics import TOP
from yt8m_kit.quantization.sizes import stored
from yt8m_kit.recipe import Recipe


def parts_of(recipe: Recipe, names: Sequence[str], codec: str, precision: str = "float32") -> list[Part]:
    """The members with equal shares, their initial weights in the codec's format."""
    tensors, parts = stored(recipe, list(names), codec), []
    for name in names:
        member, given = recipe.member(name), recipe.member(name).hyperparameters
        outline = models.outline(member.family, recipe.dataset, precision=precision, **given)
        formats = {tensor.path: tensor.format for tensor in tensors if tensor.member == name}
        parts.append(encoded(model_of(member, recipe.dataset), outline, 1 / len(names), formats, {}))
    return parts


def plain_parts(recipe: Recipe, names: Sequence[str], codec: str) -> list[Part]:
    """The same, written down plainly (benchmarks/baselines/naive.py)."""
    parts = []
    for name in names:
        member = recipe.member(name)
        model = naive.FAMILIES[member.family](recipe.dataset, **member.hyperparameters)
        formats = {v.path: format_of(codec, v.path, tuple(v.shape)) for v in model.variables}
        parts.append(encoded(model, model, 1 / len(names), formats, {}))
    return parts


def write(recipe: Recipe, names: Sequence[str], codec: str, folder: Path) -> None:
    """The kit's graph of them."""
    write_saved_model(recipe.dataset, parts_of(recipe, names, codec), 1, folder)


class Gathered(tf.Module):
    """A weight as codes into a book of 256 values, looked up at each call: first place's way in 2018."""

    def __init__(self, stored: Encoded):
        super().__init__()
        steps = np.arange(256, dtype=np.float32)
        self.codes = tf.Variable(stored.arrays["codes"], trainable=False)
        self.book = tf.Variable(steps * stored.arrays["step"] + stored.arrays["offset"], trainable=False)

    def read_value(self) -> tf.Tensor:
        """The float32 weight."""
        return tf.gather(self.book, tf.cast(self.codes, tf.int32))


def write_gathered(dataset: Dataset, parts: Sequence[Part], folder: Path) -> None:
    """A graph with the signatures of the kit's, whose large weights, in uint8, are Gathered."""
    module = tf.Module()
    module.kept = [
        [
            Gathered(each) if each.format == "uint8" else tf.Variable(decode(each), trainable=False)
            for _, each in part.weights
        ]
        for part in parts
    ]

    def probabilities(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        values = [[weight.read_value() for weight in member] for member in module.kept]
        return {"probabilities": mixed(list(parts), values, {"frames": frames, "num_frames": num_frames}, 1)}

    def top(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        confidences, labels = tf.math.top_k(probabilities(frames, num_frames)["probabilities"], TOP)
        return {"labels": labels, "confidences": confidences}

    signature = [
        tf.TensorSpec((None, dataset.max_frames, dataset.width), tf.uint8, name="frames"),
        tf.TensorSpec((None,), tf.int32, name="num_frames"),
    ]
    names_of = {"serving_default": probabilities, "top": top}
    signatures = {
        name: tf.function(way, input_signature=signature).get_concrete_function()
        for name, way in names_of.items()
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def seconds_of(folders: Mapping[str, Path], batch: int, repeats: int) -> dict[str, list[compare.Turn]]:
    """Loaded graphs take turns on a batch of random videos."""
    dataset, rng = YOUTUBE8M_2018, np.random.default_rng(0)
    frames = rng.integers(0, 256, (batch, dataset.max_frames, dataset.width), np.uint8)
    counts = rng.integers(dataset.max_frames * 2 // 5, dataset.max_frames + 1, batch).astype(np.int32)
    loaded = {name: tf.saved_model.load(str(folder)) for name, folder in folders.items()}
    inputs = {"frames": tf.constant(frames), "num_frames": tf.constant(counts)}
    work = {name: partial(graph.signatures["serving_default"], **inputs) for name, graph in loaded.items()}
    return compare.alternate(work, repeats)
