"""Mixed-precision bit allocation and calibrated rounding.

Both use videos of the train split, so that the validation split stays held out.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.output import progress
from yt8m_kit.output.tables import plain
from yt8m_kit.pipeline.job import verified, working
from yt8m_kit.pipeline.shards import paths_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.bit_allocation import Option, allocate
from yt8m_kit.quantization.sizes import StoredTensor, graph_overhead, stored, total_bytes, with_format
from yt8m_kit.quantization.tensor_plan import save_codes
from yt8m_kit.quantization.trial import Videos, format_trial, videos_of
from yt8m_kit.run import Experiment, Run

Errors = dict[str, dict[str, dict[str, float]]]  # by member, path and format


def quantize(experiment: Experiment, name: str, *, anew: bool = False) -> Path:
    """Write plan.json, the format of every tensor of a mixed or calibrated ensemble, and return it.

    mixed: each format of each tensor is tried alone and the squared error of its member's probabilities
    measured; bit allocation minimizes the blend's error within the ensemble's size limit. Errors of different
    tensors are assumed independent, so that their squares add. calibrated: codes are rounded by the second
    moments of the kernels' inputs (codecs.gptq) and saved.
    """
    stage = Stages(experiment).quantize(name)
    with working(stage, anew=anew) as job:
        if not job.is_done:
            for need in stage.needs:
                verified(need)
            found = _plan(experiment, name)
            job.figures = {"bytes": found["bytes"]}
            with job.writing() as temporary:
                temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return stage.main


def _plan(experiment: Experiment, name: str) -> dict[str, Any]:
    """Content of plan.json; writes calibrated codes."""
    recipe, blend = experiment.recipe, experiment.recipe.ensemble(name)
    shares = experiment.shares(name)
    tensors = stored(recipe, list(shares), blend.codec)
    videos = videos_of(recipe.dataset, paths_of(experiment, "train"))
    errors: Errors = {}
    if blend.codec == "mixed":
        errors = _measured(experiment, tensors, videos, blend.calibrated)
        budget = blend.limit - len(shares) * graph_overhead(blend.rounds)
        tensors = allocated(tensors, errors, shares, budget)
    if blend.calibrated:
        _round(experiment, tensors, videos, experiment.run(name))
    progress.say(report(tensors, shares))
    formats: dict[str, dict[str, str]] = {}
    for tensor in tensors:
        formats.setdefault(tensor.member, {})[tensor.path] = tensor.format
    about = {"codec": blend.codec, "calibrated": blend.calibrated, "limit": blend.limit}
    return about | {"bytes": total_bytes(tensors), "forms": formats, "errors": errors}


def _measured(
    experiment: Experiment, tensors: Sequence[StoredTensor], videos: Videos, calibrated: bool
) -> Errors:
    """Measure the error of a member's probabilities for each format of each tensor."""
    errors: Errors = {}
    for member, own in _by_member(tensors, "measure"):
        with format_trial(experiment, member, videos, calibrated=calibrated) as trial:
            errors[member] = trial.errors(own)
    return errors


def _round(experiment: Experiment, tensors: Sequence[StoredTensor], videos: Videos, run: Run) -> None:
    """Choose and save the calibrated codes of every tensor."""
    for member, own in _by_member(tensors, "round"):
        with format_trial(experiment, member, videos, calibrated=True) as trial:
            save_codes(run, member, {t.path: trial.best(t.path, t.format)[0] for t in own})


def _by_member(tensors: Sequence[StoredTensor], what: str) -> Iterator[tuple[str, list[StoredTensor]]]:
    """Each member with its encoded tensors, under a progress bar."""
    members = list(dict.fromkeys(tensor.member for tensor in tensors))
    with progress.bar(len(members), what, unit=" members") as bar:
        for member in members:
            yield member, large(tensors, member)
            bar.update()


def large(tensors: Sequence[StoredTensor], member: str) -> list[StoredTensor]:
    """The tensors of a member that a codec encodes."""
    return [tensor for tensor in tensors if tensor.member == member and tensor.format != "float32"]


def allocated(
    tensors: list[StoredTensor], errors: Errors, shares: dict[str, float], budget: int
) -> list[StoredTensor]:
    """The tensors in their allocated formats."""
    options = []
    for tensor in tensors:
        measured = errors[tensor.member].get(tensor.path, {tensor.format: 0.0})
        weight = shares[tensor.member] ** 2
        options.append([Option(f, with_format(tensor, f).size, weight * e) for f, e in measured.items()])
    return [with_format(tensor, option.format) for tensor, option in zip(tensors, allocate(options, budget))]


def report(tensors: Sequence[StoredTensor], shares: dict[str, float]) -> str:
    """Table of bits per weight by member."""
    rows = []
    for member, share in shares.items():
        own = [tensor for tensor in tensors if tensor.member == member]
        weights, size = sum(int(np.prod(t.shape)) for t in own), total_bytes(own)
        bits = f"{8 * size / weights:.2f}"
        rows.append({"member": member, "share": f"{share:.3f}", "bytes": size, "bits per weight": bits})
    return plain(rows).rstrip()
