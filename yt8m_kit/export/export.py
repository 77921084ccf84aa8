"""Export an ensemble, or a single member, as one graph with encoded weights of at most 2^30 bytes."""

import gc
import shutil
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
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.layers.layer import is_float
from yt8m_kit.output import progress
from yt8m_kit.output.digest import files_in
from yt8m_kit.output.files import write_json
from yt8m_kit.pipeline.job import Job, verified, working
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.sizes import StoredTensor, check_size, group_sizes
from yt8m_kit.quantization.tensor_plan import load_codes, planned
from yt8m_kit.run import Experiment


def export(experiment: Experiment, name: str, *, archive: bool = False, anew: bool = False) -> Path:
    """Write the blended, encoded graph of an ensemble (or of one member) and return its path.

    A SavedModel's folder, or the 2018 starter's archive. Raises UsageError if a member or the blend weights
    are missing or stale, and KitError if the files exceed the ensemble's size limit; then nothing is written.
    """
    stages = Stages(experiment)
    stage = stages.export(name, archive=archive)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            _write(stages, name, job, archive)
    return stage.main


def _write(stages: Stages, name: str, job: Job, archive: bool) -> None:
    experiment, run = stages.experiment, job.stage.run
    recipe, blend = stages.recipe, stages.recipe.ensemble(name)
    for need in job.stage.needs:
        for file in need.files:
            verified(need, file)
    shares = experiment.shares(name)
    tensors = planned(recipe, blend, list(shares), run)
    check_size(name, blend, tensors)
    parts = _parts(stages, name, shares, tensors)
    with _folder_for(job, archive) as folder:
        (write_members if archive else write_saved_model)(recipe.dataset, parts, blend.rounds, folder)
        written = sum(file.stat().st_size for file in files_in(folder))
        check_size(name, blend, tensors, written)
        job.figures = {"bytes": written, "codec": blend.codec}
        if not archive:
            settings = {"codec": blend.codec, "rounds": blend.rounds, "weights": shares}
            about = {"bytes": written, "limit": blend.limit} | settings | {"tensors": group_sizes(tensors)}
            write_json(run.export, about)


@contextmanager
def _folder_for(job: Job, archive: bool) -> Iterator[Path]:
    """Yield a temporary folder that becomes the graph, or is packed as the archive."""
    with job.writing() as out:
        if not archive:
            yield out
            return
        folder = out.with_name(f"{out.name}.members")  # fixed name: a killed process's is replaced
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
            pack(folder, out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _parts(
    stages: Stages, ensemble: str, shares: dict[str, float], tensors: Sequence[StoredTensor]
) -> list[Part]:
    experiment, recipe = stages.experiment, stages.recipe
    parts = []
    with progress.bar(len(shares), "export", unit=" members") as bar:
        for name, share in shares.items():
            own = [tensor for tensor in tensors if tensor.member == name]
            member = recipe.member(name)
            outline = models.outline(member.family, recipe.dataset, **member.hyperparameters)
            model = averaged_model(experiment, name)
            formats = {tensor.path: tensor.format for tensor in own}
            parts.append(encoded(model, outline, share, formats, load_codes(experiment.run(ensemble), own)))
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
    """Encode a member's weights; seeds of random layers are left out.

    outline: the same model, whose variables have no values. formats: by path. kept: calibrated codes by path.
    Raises KitError for weights that are not finite.
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
