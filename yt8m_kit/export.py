"""An ensemble, or a member alone, as one graph with encoded weights: a folder, at most 2^30 bytes."""

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from yt8m_kit import codecs, models, progress
from yt8m_kit.archive import pack, write_members
from yt8m_kit.atomic import replacing_folder, write_json
from yt8m_kit.errors import KitError
from yt8m_kit.gate import check_size, stored
from yt8m_kit.graph import Part, write_saved_model
from yt8m_kit.rebuild import load_weights, model_of
from yt8m_kit.recipe import SIZE_LIMIT, Ensemble, Recipe
from yt8m_kit.run import Run


def export(recipe: Recipe, name: str, runs: Path, *, archive: bool = False) -> Path:
    """Write the blended, encoded graph of an ensemble (or of one member) and return its path.

    A SavedModel's folder, or the 2018 starter's archive. Raises UsageError where a member or the blend
    weights are missing, KitError where the files are over the competition's 2^30 bytes: then nothing is kept.
    """
    blend, run = recipe.ensemble(name), Run.of(runs, recipe.name, name)
    out = run.archive if archive else run.graph
    if out.exists():
        return out
    shares = _shares(recipe, name, run)
    tensors = stored(recipe, list(shares), blend.codec)
    check_size(name, blend.codec, tensors)
    parts = _parts(recipe, blend, shares, runs)
    with _folder_for(out, archive) as folder:
        (write_members if archive else write_saved_model)(recipe.dataset, parts, blend.rounds, folder)
        written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        check_size(name, blend.codec, tensors, written)
        settings = {"codec": blend.codec, "rounds": blend.rounds, "weights": shares}
        write_json(run.packing if archive else run.export, {"bytes": written, "limit": SIZE_LIMIT} | settings)
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


def _shares(recipe: Recipe, name: str, run: Run) -> dict[str, float]:
    """Each member's share of the blend, 1 in all; members without one are left out."""
    if name in recipe.members:
        return {name: 1.0}
    weights = run.read(run.need(run.ensemble, "ensemble"))["weights"]
    total = sum(weights.values())
    return {member: weight / total for member, weight in weights.items() if weight > 0}


def _parts(recipe: Recipe, blend: Ensemble, shares: dict[str, float], runs: Path) -> list[Part]:
    parts = []
    with progress.bar(len(shares), "export", unit=" members") as bar:
        for name, share in shares.items():
            run, member = Run.of(runs, recipe.name, name), recipe.member(name)
            run.need(run.averaged, "average")
            outline = models.outline(member.family, recipe.dataset, **member.hyperparameters)
            model = load_weights(model_of(member, recipe.dataset), run.averaged)
            parts.append(encoded(model, outline, share, blend.codec))
            # Only one member's float weights are in memory at a time.
            del model
            gc.collect()
            bar.update()
    return parts


def encoded(model: keras.Model, outline: keras.Model, share: float, codec: str) -> Part:
    """A member whose weights are stored as codes; seeds of random layers are left out.

    outline: the same model, whose variables hold nothing. Raises KitError for weights that are not finite.
    """
    weights = []
    for variable, empty in zip(model.variables, outline.variables):
        if "float" in str(variable.dtype):
            form = codecs.form_of(codec, variable.path, tuple(variable.shape))
            try:
                weights.append((empty, codecs.encode(form, variable.numpy())))
            except ValueError as error:
                raise KitError(f"cannot encode {variable.path}: {error} Train the member again.") from error
    return Part(outline, share, weights)
