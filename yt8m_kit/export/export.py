"""An ensemble, or a member alone, as one graph with encoded weights: a folder, at most 2^30 bytes."""

import gc
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from yt8m_kit import models
from yt8m_kit.codecs.encoding import encode
from yt8m_kit.codecs.formats import Encoded
from yt8m_kit.errors import KitError
from yt8m_kit.export.blended_graph import Part
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.export.starter_archive import pack, write_members
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.layers.layer import is_float
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing_folder, write_json
from yt8m_kit.quantization.sizes import StoredTensor, check_size
from yt8m_kit.quantization.tensor_plan import load_codes, planned
from yt8m_kit.run import Experiment, Run


def export(experiment: Experiment, name: str, *, archive: bool = False) -> Path:
    """Write the blended, encoded graph of an ensemble (or of one member) and return its path.

    A SavedModel's folder, or the 2018 starter's archive. Raises UsageError where a member or the blend
    weights are missing, KitError where the files are over the ensemble's limit: then nothing is kept.
    """
    recipe, run = experiment.recipe, experiment.run(name)
    blend = recipe.ensemble(name)
    out = run.archive if archive else run.graph
    if out.exists():
        return out
    shares = experiment.shares(name)
    tensors = planned(recipe, blend, list(shares), run)
    check_size(name, blend, tensors)
    parts = _parts(experiment, run, shares, tensors)
    with _folder_for(out, archive) as folder:
        (write_members if archive else write_saved_model)(recipe.dataset, parts, blend.rounds, folder)
        written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        check_size(name, blend, tensors, written)
        settings = {"codec": blend.codec, "rounds": blend.rounds, "weights": shares}
        if not archive:
            write_json(run.export, {"bytes": written, "limit": blend.limit} | settings)
    return out


@contextmanager
def _folder_for(out: Path, archive: bool) -> Iterator[Path]:
    """A folder to fill, which becomes `out`: as it is, or packed."""
    if not archive:
        with replacing_folder(out) as folder:
            yield folder
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        yield Path(temporary)
        pack(Path(temporary), out)


def _parts(
    experiment: Experiment, run: Run, shares: dict[str, float], tensors: Sequence[StoredTensor]
) -> list[Part]:
    recipe = experiment.recipe
    parts = []
    with progress.bar(len(shares), "export", unit=" members") as bar:
        for name, share in shares.items():
            own = [tensor for tensor in tensors if tensor.member == name]
            member, weights = recipe.member(name), experiment.run(name)
            outline = models.outline(member.family, recipe.dataset, **member.hyperparameters)
            model = model_of(member, recipe.dataset)
            load_weights(model, weights.need(weights.averaged, "average"))
            formats = {tensor.path: tensor.format for tensor in own}
            parts.append(encoded(model, outline, share, formats, load_codes(run, own)))
            # Only one member's float weights are in memory at a time.
            del model
            gc.collect()
            bar.update()
    return parts


def encoded(
    model: keras.Model,
    outline: keras.Model,
    share: float,
    formats: Mapping[str, str],
    kept: Mapping[str, Encoded],
) -> Part:
    """A member whose weights are stored as codes; seeds of random layers are left out.

    outline: the same model, whose variables hold nothing. formats: by path. kept: codes that were chosen
    before, by path. Raises KitError for weights that are not finite.
    """
    weights = []
    for variable, empty in zip(model.variables, outline.variables):
        if is_float(variable):
            path = variable.path
            try:
                stored = kept[path] if path in kept else encode(formats[path], variable.numpy())
            except ValueError as error:
                raise KitError(f"cannot encode {path}: {error} Train the member again.") from error
            weights.append((empty, stored))
    return Part(outline, share, weights)
