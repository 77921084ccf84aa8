"""Error of a member's probabilities for one tensor in one format, measured on held-out videos."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import numpy as np

from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.codecs.formats import FORMATS, Encoded
from yt8m_kit.codecs.gptq import encode_calibrated, factors
from yt8m_kit.data.loader.batches import Batch, read_batches
from yt8m_kit.dataset import Dataset
from yt8m_kit.inference.member_model import averaged_model
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.layers.layer import is_float
from yt8m_kit.quantization.input_moments import second_moments
from yt8m_kit.quantization.sizes import StoredTensor
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath

CALIBRATION = 1024  # videos for calibrated rounding
HELD_OUT = 256  # other videos, to measure errors on
BATCH = 64
MIXED_FORMATS = ("int4", "int4_g128", "int6", "int8", "float16")  # formats that a mixed codec chooses from


class Videos(NamedTuple):
    """Videos for calibrated rounding, and batches of other videos to measure errors on."""

    calibration: Batch
    held_out: list[Batch]


class FormatTrial:
    """Trial of formats: the error of a trained model's probabilities with one tensor encoded.

    moments: second moments of kernels' inputs by path, for calibrated rounding. held_out: videos to measure
    errors on.
    """

    def __init__(self, model: keras.Model, moments: dict[str, Any], held_out: Sequence[Batch]):
        self.model, self.moments, self._held_out = model, moments, held_out
        self.variables = {v.path: v for v in model.variables if is_float(v)}
        self._predict = predictor(model)
        self._exact = [self._predict(batch) for batch in held_out]
        self._factors: tuple[str, list[Any]] = ("", [])  # of the last kernel rounded

    def _factors_of(self, path: str, exact: Any) -> list[Any]:
        """Return the factors of a kernel's inverse moments, which are costly: its formats share them."""
        if self._factors[0] != path:
            self._factors = path, factors(self.moments[path], exact.size // exact.shape[-1])
        return self._factors[1]

    def best(self, path: str, format: str) -> tuple[Encoded, float]:
        """Encode one tensor; return it and the squared error per video, summed over classes.

        The better of nearest rounding and, where the moments of its inputs are known, calibrated rounding.
        """
        variable = self.variables[path]
        exact = variable.numpy()
        options = [encode(format, exact)]
        if path in self.moments and FORMATS[format].affine:
            options.append(encode_calibrated(format, exact, self._factors_of(path, exact)))
        errors = []
        for option in options:
            variable.assign(decode(option))
            errors.append(self._error())
        variable.assign(exact)
        least = int(np.argmin(errors))
        return options[least], errors[least]

    def errors(self, tensors: Sequence[StoredTensor]) -> dict[str, dict[str, float]]:
        """Measure errors by path and by format that a mixed codec can choose."""
        return {t.path: {format: self.best(t.path, format)[1] for format in MIXED_FORMATS} for t in tensors}

    def _error(self) -> float:
        off = [np.square(self._predict(b) - p).sum(axis=1) for b, p in zip(self._held_out, self._exact)]
        return float(np.mean(np.concatenate(off), dtype=np.float64))


@contextmanager
def format_trial(
    experiment: Experiment, name: str, videos: Videos, *, calibrated: bool
) -> Iterator[FormatTrial]:
    """Set up the trial of a member; its model's memory is freed at the end."""
    model = averaged_model(experiment, name)
    moments = {}
    if calibrated:
        kernels = {variable.path for variable in model.variables if len(variable.shape) == 2}
        calibration = (videos.calibration.frames, videos.calibration.num_frames)
        moments = second_moments(model, experiment.recipe.dataset, *calibration, kernels)
    yield FormatTrial(model, moments, videos.held_out)
    del model, moments
    gc.collect()


def videos_of(dataset: Dataset, paths: Sequence[DataPath]) -> Videos:
    """Draw calibration and held-out videos from the shuffled split; at most a quarter is held out."""
    drawn = next(read_batches(paths, dataset, CALIBRATION + HELD_OUT, seed=0, mix=4))
    held_out = max(min(HELD_OUT, len(drawn.ids) // 4), 1)
    batches = [_part(drawn, start, min(start + BATCH, held_out)) for start in range(0, held_out, BATCH)]
    return Videos(_part(drawn, held_out, len(drawn.ids)), batches)


def _part(batch: Batch, start: int, stop: int) -> Batch:
    rows = slice(start, stop)
    arrays = (batch.frames[rows], batch.num_frames[rows], batch.labels[rows])
    return Batch(*arrays, batch.ids[rows], batch.position)
