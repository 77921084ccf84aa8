"""Error of a member's probabilities for one tensor in one format, measured on held-out videos."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
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

CALIBRATION = 1024  # videos by which codes are rounded


HELD_OUT = 256  # others, on which errors are measured


BATCH = 64


MIXED_FORMATS = ("int4", "int4_g128", "int6", "int8", "float16")  # formats that a mixed codec chooses from


class Videos(NamedTuple):
    """calibration: to round by. held_out: batches of other videos, to measure on."""

    calibration: Batch
    held_out: list[Batch]


class FormatTrial:
    """Formats of a trained model's tensors, and the error of its probabilities that they cause.

    moments: of kernels' inputs by path, to round by. held_out: videos to measure on.
    """

    def __init__(self, model: keras.Model, moments: dict[str, Any], held_out: Sequence[Batch]):
        self.model, self.moments, self._held_out = model, moments, held_out
        self.variables = {v.path: v for v in model.variables if is_float(v)}
        self._predict = predictor(model)
        self._exact = [self._predict(batch) for batch in held_out]
        self._factors: tuple[str, list[Any]] = ("", [])  # of the kernel that was last rounded

    def _factors_of(self, path: str, exact: Any) -> list[Any]:
        """Inverting moments takes longer than rounding by them: all formats of a kernel share the factors."""
        if self._factors[0] != path:
            self._factors = path, factors(self.moments[path], exact.size // exact.shape[-1])
        return self._factors[1]

    def best(self, path: str, format: str) -> tuple[Encoded, float]:
        """A tensor in a format, and the error of a video's probabilities (squares summed) with it alone so.

        The better of the nearest codes and, where its inputs are known, of those rounded by them.
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
        """By path, and by format that a mixed codec can choose."""
        return {t.path: {format: self.best(t.path, format)[1] for format in MIXED_FORMATS} for t in tensors}

    def _error(self) -> float:
        off = [np.square(self._predict(b) - p).sum(axis=1) for b, p in zip(self._held_out, self._exact)]
        return float(np.mean(np.concatenate(off), dtype=np.float64))


@contextmanager
def format_trial(
    experiment: Experiment, name: str, videos: Videos, *, calibrated: bool
) -> Iterator[FormatTrial]:
    """The trial of a member; frees its model's memory at the end."""
    model = averaged_model(experiment, name)
    moments = {}
    if calibrated:
        kernels = {variable.path for variable in model.variables if len(variable.shape) == 2}
        seen = (videos.calibration.frames, videos.calibration.num_frames)
        moments = second_moments(model, experiment.recipe.dataset, *seen, kernels)
    yield FormatTrial(model, moments, videos.held_out)
    del model, moments
    gc.collect()


def videos_of(dataset: Dataset, paths: list[Path]) -> Videos:
    """Calibration and held-out videos: the first of the shuffled split, a quarter of a small one held out."""
    drawn = next(read_batches(paths, dataset, CALIBRATION + HELD_OUT, seed=0, mix=4))
    aside = max(min(HELD_OUT, len(drawn.ids) // 4), 1)
    batches = [_part(drawn, start, min(start + BATCH, aside)) for start in range(0, aside, BATCH)]
    return Videos(_part(drawn, aside, len(drawn.ids)), batches)


def _part(batch: Batch, start: int, stop: int) -> Batch:
    rows = slice(start, stop)
    arrays = (batch.frames[rows], batch.num_frames[rows], batch.labels[rows])
    return Batch(*arrays, batch.ids[rows], batch.position)
