"""Members, blend and sampling rounds as one SavedModel whose weights are stored as codes."""

import uuid
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from yt8m_kit import progress
from yt8m_kit.atomic import replacing_folder, write_json
from yt8m_kit.codecs import Codes, decode, encode, size
from yt8m_kit.errors import KitError
from yt8m_kit.layers.sampling import average_rounds
from yt8m_kit.metrics import TOP
from yt8m_kit.rebuild import load_weights, model_of
from yt8m_kit.recipe import SIZE_LIMIT, Ensemble, Recipe
from yt8m_kit.run import Run
from yt8m_kit.spec import Dataset


class Decoded(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
    """A float32 weight that is stored as codes and decoded once, when the graph is loaded.

    Only the codes are variables of the checkpoint; the float tensor is a resource that the loader
    initialises, so that running the graph costs what the float model costs.
    """

    def __init__(self, codes: Codes):
        super().__init__()
        self._codes = {key: tf.Variable(array, trainable=False, name=key) for key, array in codes.items()}
        for key, variable in self._codes.items():
            self._track_trackable(variable, key)
        # Two loaded graphs must not share a weight: a name of its own for each.
        self._shared_name = uuid.uuid4().hex
        self.shape = codes["codes"].shape
        self.size = size(codes)

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32, shape=self.shape, shared_name=self._shared_name, container=""
        )

    def _initialize(self) -> None:
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=decode(self._codes))

    def read(self) -> tf.Tensor:
        """The float32 weight."""
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.float32)
        return tf.ensure_shape(value, self.shape)


class Part(NamedTuple):
    """A member in the graph: its model, its share of the blend, and each variable's stored form."""

    model: keras.Model
    share: float
    weights: list[tuple[Any, Decoded]]

    @property
    def size(self) -> int:
        """Bytes of the member's codes."""
        return sum(decoded.size for _, decoded in self.weights)


def encoded(model: keras.Model, share: float, codec: str) -> Part:
    """A member whose weights are stored as codes; seeds of random layers are left out."""
    floats = [variable for variable in model.variables if "float" in str(variable.dtype)]
    return Part(model, share, [(v, Decoded(encode(codec, v.numpy(), v.path))) for v in floats])


def graph_of(dataset: Dataset, parts: list[Part], rounds: int) -> tf.Module:
    """The blend as a module with two functions of frames uint8 (B, T, D) and num_frames int32 (B,).

    `probabilities`: {"probabilities": float32 (B, C)}. `top`: {"labels": int32 (B, 20), "confidences":
    float32 (B, 20)}, descending. Only the codes are tracked, never the models with their float weights.
    """

    def mix(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
        total = 0.0
        for part in parts:
            with keras.StatelessScope(state_mapping=[(v, decoded.read()) for v, decoded in part.weights]):
                inputs = {"frames": frames, "num_frames": num_frames}
                total += part.share * average_rounds(part.model, inputs, rounds)
        return total

    def probabilities(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": mix(frames, num_frames)}

    def top(frames: tf.Tensor, num_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        confidences, labels = tf.math.top_k(mix(frames, num_frames), min(TOP, dataset.classes))
        return {"labels": labels, "confidences": confidences}

    signature = [
        tf.TensorSpec((None, dataset.max_frames, dataset.width), tf.uint8, name="frames"),
        tf.TensorSpec((None,), tf.int32, name="num_frames"),
    ]
    graph = tf.Module()
    graph.weights = [decoded for part in parts for _, decoded in part.weights]
    graph.probabilities = tf.function(probabilities, input_signature=signature)
    graph.top = tf.function(top, input_signature=signature)
    return graph


def export(recipe: Recipe, name: str, runs: Path) -> Path:
    """Write the blended, encoded graph of an ensemble (or of one member) and return its folder.

    Raises UsageError where a member or the blend weights are missing, KitError where the graph is
    over the competition's 2^30 bytes: then nothing is kept.
    """
    blend, run = recipe.ensemble(name), Run.of(runs, recipe.name, name)
    if run.graph.exists():
        return run.graph
    shares = (
        {name: 1.0} if name in recipe.members else run.read(run.need(run.ensemble, "ensemble"))["weights"]
    )
    parts = _parts(recipe, blend, shares, runs)
    graph = graph_of(recipe.dataset, parts, blend.rounds)
    with replacing_folder(run.graph) as temporary:
        signatures = {"serving_default": graph.probabilities, "top": graph.top}
        tf.saved_model.save(graph, str(temporary), signatures=signatures)
        written = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
        _gate(written, dict(zip(shares, parts)), blend.codec, name)
        settings = {"codec": blend.codec, "rounds": blend.rounds, "weights": shares}
        write_json(run.export, {"bytes": written, "limit": SIZE_LIMIT} | settings)
    return run.graph


def _parts(recipe: Recipe, blend: Ensemble, shares: dict[str, float], runs: Path) -> list[Part]:
    parts = []
    with progress.bar(len(shares), "export", unit=" members") as bar:
        for name, share in shares.items():
            run = Run.of(runs, recipe.name, name)
            run.need(run.averaged, "average")
            model = load_weights(model_of(recipe.member(name), recipe.dataset), run.averaged)
            parts.append(encoded(model, share / sum(shares.values()), blend.codec))
            bar.update()
    return parts


def _gate(written: int, parts: dict[str, Part], codec: str, name: str) -> None:
    if written <= SIZE_LIMIT:
        return
    largest = max(parts, key=lambda member: parts[member].size)
    raise KitError(
        f"ensemble {name} is {written:,} bytes as {codec}, {written - SIZE_LIMIT:,} over the limit of "
        f"{SIZE_LIMIT:,}; the largest member is {largest} with {parts[largest].size:,}. Nothing was "
        "written: use a smaller codec (uint8) or fewer members."
    )
