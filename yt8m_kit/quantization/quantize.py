"""The bytes of an ensemble spent where they matter, and codes rounded so that its outputs change least.

Both go by videos of the train split: validation stays what it is for.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from yt8m_kit import codecs, progress
from yt8m_kit.allocation import Option, allocate
from yt8m_kit.atomic import write_json
from yt8m_kit.codecs import Encoded
from yt8m_kit.codecs.calibrated import encode_calibrated, factors
from yt8m_kit.data import records
from yt8m_kit.data.records import Batch
from yt8m_kit.gate import operations
from yt8m_kit.moments import second_moments
from yt8m_kit.plan import Stored, in_form, save_codes, shares_of, stored
from yt8m_kit.rebuild import load_weights, model_of, predictor
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Run
from yt8m_kit.spec import Dataset
from yt8m_kit.table import plain

SEEN = 1024  # videos by which codes are rounded
JUDGED = 256  # others, on which errors are measured
BATCH = 64
MIXED = ("int4", "int4_g128", "int6", "int8", "float16")  # forms that a mixed codec chooses from

Errors = dict[str, dict[str, dict[str, float]]]  # by member, path and form


class Videos(NamedTuple):
    """seen: to round by. judged: batches of others, to measure on."""

    seen: Batch
    judged: list[Batch]


def quantize(recipe: Recipe, name: str, data: Path, runs: Path) -> Path:
    """Write plan.json, the form of every tensor of a mixed or calibrated ensemble, and return it.

    mixed: of each tensor, each form is tried alone and the error of its member's probabilities measured; the
    bytes under the ensemble's limit go where they take away most of the blend's error. Errors of different
    tensors are taken to be independent, so that squares add up. calibrated: codes are rounded by the second
    moments of the kernels' inputs, and kept beside the plan.
    """
    blend, run = recipe.ensemble(name), Run.of(runs, recipe.name, name)
    if run.plan.exists():
        return run.plan
    shares = shares_of(recipe, name, run)
    tensors = stored(recipe, list(shares), blend.codec)
    videos = videos_of(recipe.dataset, records.find(data, "train"))
    errors: Errors = {}
    if blend.codec == "mixed":
        errors = _measured(recipe, tensors, videos, runs, blend.calibrated)
        budget = blend.limit - len(shares) * operations(blend.rounds)
        tensors = allocated(tensors, errors, shares, budget)
    if blend.calibrated:
        _round(recipe, tensors, videos, runs, run)
    progress.say(report(tensors, shares))
    forms: dict[str, dict[str, str]] = {}
    for tensor in tensors:
        forms.setdefault(tensor.member, {})[tensor.path] = tensor.form
    about = {"codec": blend.codec, "calibrated": blend.calibrated, "limit": blend.limit}
    size = sum(tensor.size for tensor in tensors)
    write_json(run.plan, about | {"bytes": size, "forms": forms, "errors": errors})
    return run.plan


def _measured(
    recipe: Recipe, tensors: Sequence[Stored], videos: Videos, runs: Path, calibrated: bool
) -> Errors:
    """What each form of each tensor does to its member's probabilities."""
    errors: Errors = {}
    for member, own in _by_member(tensors, "measure"):
        with encoder_of(recipe, member, runs, videos, calibrated=calibrated) as encoder:
            errors[member] = encoder.errors(own)
    return errors


def _round(recipe: Recipe, tensors: Sequence[Stored], videos: Videos, runs: Path, run: Run) -> None:
    """Keep the best codes of every tensor beside the plan."""
    for member, own in _by_member(tensors, "round"):
        with encoder_of(recipe, member, runs, videos, calibrated=True) as encoder:
            save_codes(run, member, {t.path: encoder.best(t.path, t.form)[0] for t in own})


def _by_member(tensors: Sequence[Stored], what: str) -> Iterator[tuple[str, list[Stored]]]:
    """Each member with its tensors that are not left as they are, under a bar."""
    members = list(dict.fromkeys(tensor.member for tensor in tensors))
    with progress.bar(len(members), what, unit=" members") as bar:
        for member in members:
            yield member, large(tensors, member)
            bar.update()


class Encoder:
    """A trained model's tensors into forms, and what that does to its probabilities.

    moments: of kernels' inputs by path, to round by. judged: videos to measure on.
    """

    def __init__(self, model: keras.Model, moments: dict[str, Any], judged: Sequence[Batch]):
        self.model, self.moments, self._judged = model, moments, judged
        self.variables = {v.path: v for v in model.variables if "float" in str(v.dtype)}
        self._predict = predictor(model)
        self._exact = [self._predict(batch) for batch in judged]
        self._factors: tuple[str, list[Any]] = ("", [])  # of the kernel that was last rounded

    def _factors_of(self, path: str, exact: Any) -> list[Any]:
        """Inverting moments takes longer than rounding by them: all forms of a kernel share the factors."""
        if self._factors[0] != path:
            self._factors = path, factors(self.moments[path], exact.size // exact.shape[-1])
        return self._factors[1]

    def best(self, path: str, form: str) -> tuple[Encoded, float]:
        """A tensor in a form, and the error of a video's probabilities (squares summed) when it alone is so.

        The better of the nearest codes and, where its inputs are known, of those rounded by them.
        """
        variable = self.variables[path]
        exact = variable.numpy()
        options = [codecs.encode(form, exact)]
        if path in self.moments and codecs.FORMS[form].affine:
            options.append(encode_calibrated(form, exact, self._factors_of(path, exact)))
        errors = []
        for option in options:
            variable.assign(codecs.decode(option))
            errors.append(self._error())
        variable.assign(exact)
        least = int(np.argmin(errors))
        return options[least], errors[least]

    def errors(self, tensors: Sequence[Stored]) -> dict[str, dict[str, float]]:
        """By path, and by form that a mixed codec can choose."""
        return {t.path: {form: self.best(t.path, form)[1] for form in MIXED} for t in tensors}

    def _error(self) -> float:
        off = [np.square(self._predict(b) - p).sum(axis=1) for b, p in zip(self._judged, self._exact)]
        return float(np.mean(np.concatenate(off), dtype=np.float64))


@contextmanager
def encoder_of(
    recipe: Recipe, name: str, runs: Path, videos: Videos, *, calibrated: bool
) -> Iterator[Encoder]:
    """The encoder of a member; its model's memory is free afterwards."""
    run = Run.of(runs, recipe.name, name)
    model = load_weights(model_of(recipe.member(name), recipe.dataset), run.need(run.averaged, "average"))
    moments = {}
    if calibrated:
        kernels = {variable.path for variable in model.variables if len(variable.shape) == 2}
        seen = (videos.seen.frames, videos.seen.num_frames)
        moments = second_moments(model, recipe.dataset, *seen, kernels)
    yield Encoder(model, moments, videos.judged)
    del model, moments
    gc.collect()


def videos_of(dataset: Dataset, paths: list[Path]) -> Videos:
    """The first videos of the shuffled split; at most a quarter of a small one to measure on."""
    drawn = next(records.batches(paths, dataset, SEEN + JUDGED, seed=0, mix=4))
    aside = max(min(JUDGED, len(drawn.ids) // 4), 1)
    batches = [_part(drawn, start, min(start + BATCH, aside)) for start in range(0, aside, BATCH)]
    return Videos(_part(drawn, aside, len(drawn.ids)), batches)


def _part(batch: Batch, start: int, stop: int) -> Batch:
    rows = slice(start, stop)
    arrays = (batch.frames[rows], batch.num_frames[rows], batch.labels[rows])
    return Batch(*arrays, batch.ids[rows], batch.position)


def large(tensors: Sequence[Stored], member: str) -> list[Stored]:
    """The tensors of a member that a codec does not leave as they are."""
    return [tensor for tensor in tensors if tensor.member == member and tensor.form != "float32"]


def allocated(tensors: list[Stored], errors: Errors, shares: dict[str, float], budget: int) -> list[Stored]:
    """The tensors in the forms that are worth their bytes."""
    options = []
    for tensor in tensors:
        measured = errors[tensor.member].get(tensor.path, {tensor.form: 0.0})
        weight = shares[tensor.member] ** 2
        options.append([Option(f, in_form(tensor, f).size, weight * e) for f, e in measured.items()])
    return [in_form(tensor, option.form) for tensor, option in zip(tensors, allocate(options, budget))]


def report(tensors: Sequence[Stored], shares: dict[str, float]) -> str:
    """How many bits a weight each member got, as a table."""
    rows = []
    for member, share in shares.items():
        own = [tensor for tensor in tensors if tensor.member == member]
        weights, size = sum(int(np.prod(t.shape)) for t in own), sum(t.size for t in own)
        bits = f"{8 * size / weights:.2f}"
        rows.append({"member": member, "share": f"{share:.3f}", "bytes": size, "bits a weight": bits})
    return plain(rows).rstrip()
