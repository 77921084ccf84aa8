"""Export an ensemble, or a single member, as one graph with encoded weights of at most 2^30 bytes."""

import gc
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import keras

from yt8m_kit import models
from yt8m_kit.codecs.encoding import encode
from yt8m_kit.codecs.formats import Encoded, litert_bits
from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import KitError
from yt8m_kit.export import label_names
from yt8m_kit.export.blended_graph import PRECISION, Part
from yt8m_kit.export.litert.model_file import write_litert
from yt8m_kit.export.saved_model import write_saved_model
from yt8m_kit.export.starter_archive import pack, write_members
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.layers.layer import is_float
from yt8m_kit.output import progress
from yt8m_kit.output.digest import files_in
from yt8m_kit.output.files import write_json
from yt8m_kit.pipeline.job import Job, verified, working
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.sizes import StoredTensor, check_size, group_sizes, stored
from yt8m_kit.quantization.tensor_plan import load_codes, planned
from yt8m_kit.run import Experiment, Run

Format = Literal["graph", "tgz", "litert", "onnx"]


def export(experiment: Experiment, name: str, *, format: Format = "graph", anew: bool = False) -> Path:
    """Write the blended, encoded graph of an ensemble (or of one member) and return its path.

    A SavedModel's folder, with labels.csv if DATA has a vocabulary, the 2018 starter's archive (tgz), a
    LiteRT model (litert), whose weights are codes of 8 bits, or of 4 if the codec has 4, or an ONNX model
    (onnx) with the codes of the graph, one a byte. Names of labels are not a source of the graph: another
    vocabulary does not make it stale. Raises UsageError if a member or the blend weights are missing or
    stale, and KitError if the files exceed the ensemble's size limit; then nothing is written.
    """
    stages = Stages(experiment)
    stage = stages.export(name, format=format)
    with working(stage, anew=anew) as job:
        if job.is_done and format == "graph":
            _compare_names(stages, stage)
        if not job.is_done:
            for need in job.stage.needs:
                for file in need.files:
                    verified(need, file)
            if format == "litert":
                _write_litert(stages, name, job)
            elif format == "onnx":
                _write_onnx(stages, name, job)
            else:
                _write(stages, name, job, format == "tgz")
    return stage.main


def _compare_names(stages: Stages, stage: Stage) -> None:
    """Warn of a vocabulary that has changed since: its names are no source of the graph."""
    experiment = stages.experiment
    names = label_names.names_of(experiment.data, experiment.recipe.dataset.classes)
    if not label_names.is_current(names, stage.main):
        progress.say(
            f"warning: {stage.main / label_names.FILE} does not have the names of "
            f"{experiment.data / vocabulary.FILE}; to write them: {stage.command} --anew"
        )


def _write(stages: Stages, name: str, job: Job, archive: bool) -> None:
    experiment, run = stages.experiment, job.stage.run
    recipe, blend = stages.recipe, stages.recipe.ensemble(name)
    shares = experiment.shares(name)
    tensors = planned(recipe, blend, list(shares), run)
    check_size(name, blend, tensors)
    labels = {} if archive else label_names.names_of(experiment.data, recipe.dataset.classes)
    parts = _parts(stages, shares, tensors, run, PRECISION[blend.arithmetic])
    with _folder_for(job, archive) as folder:
        (write_members if archive else write_saved_model)(recipe.dataset, parts, blend.rounds, folder)
        label_names.write(labels, folder)
        written = sum(file.stat().st_size for file in files_in(folder))
        check_size(name, blend, tensors, written)
        job.figures = {"bytes": written, "codec": blend.codec}
        if not archive:
            settings = {"codec": blend.codec, "arithmetic": blend.arithmetic, "rounds": blend.rounds}
            settings |= {"weights": shares, "tensors": group_sizes(tensors)}
            about = {"bytes": written, "limit": blend.limit} | settings
            write_json(run.export, about)


def _write_litert(stages: Stages, name: str, job: Job) -> None:
    recipe, blend = stages.recipe, stages.recipe.ensemble(name)
    shares, labels = stages.experiment.shares(name), _labels(stages.experiment)
    parts = _parts(stages, shares, stored(recipe, list(shares), "float32"), None)
    with _file_for(job, name, blend.limit, "LiteRT", "take the codec int4") as path:
        write_litert(recipe.dataset, parts, blend.rounds, name, labels, path, litert_bits(blend.codec))


def _write_onnx(stages: Stages, name: str, job: Job) -> None:
    # An extra: its packages may be missing.
    from yt8m_kit.export.onnx.model_file import write_onnx

    recipe, blend, run = stages.recipe, stages.recipe.ensemble(name), job.stage.run
    shares, labels = stages.experiment.shares(name), _labels(stages.experiment)
    parts = _parts(stages, shares, planned(recipe, blend, list(shares), run), run)
    with _file_for(job, name, blend.limit, "ONNX", "take a codec of 8 bits") as path:
        write_onnx(recipe.dataset, parts, blend.rounds, name, labels, path)


@contextmanager
def _file_for(job: Job, name: str, limit: int, kind: str, advice: str) -> Iterator[Path]:
    """Yield a temporary path that becomes the product, unless it exceeds the ensemble's limit: KitError."""
    with job.writing() as path:
        yield path
        written = path.stat().st_size
        if written > limit:
            raise KitError(
                f"ensemble {name} is {written:,} bytes as {kind} model, {written - limit:,} over the limit "
                f"of {limit:,}; nothing was written. Leave members out, or {advice}."
            )
        job.figures = {"bytes": written}


def _labels(experiment: Experiment) -> list[str]:
    """Names of the classes from DATA/vocabulary.csv; the number of a class that has none there."""
    path = experiment.data / vocabulary.FILE
    names = vocabulary.read(path, experiment.recipe.dataset.classes) if path.exists() else {}
    numbers = range(experiment.recipe.dataset.classes)
    return [" ".join(names.get(number, "").split()) or str(number) for number in numbers]


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
    stages: Stages,
    shares: dict[str, float],
    tensors: Sequence[StoredTensor],
    run: Run | None,
    precision: str = "float32",
) -> list[Part]:
    """Encode the members; precision: of their products.

    run: of the ensemble, whose calibrated codes are taken, if any; None for none.
    """
    experiment, recipe = stages.experiment, stages.recipe
    parts = []
    with progress.bar(len(shares), "export", unit=" members") as bar:
        for name, share in shares.items():
            own = [tensor for tensor in tensors if tensor.member == name]
            member = recipe.member(name)
            given = member.hyperparameters
            outline = models.outline(member.family, recipe.dataset, precision=precision, **given)
            model = averaged_model(experiment, name)
            formats = {tensor.path: tensor.format for tensor in own}
            parts.append(encoded(model, outline, share, formats, load_codes(run, own) if run else {}))
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
