"""The frames that a member's model draws, as a table: in training and at prediction."""

import textwrap
from itertools import groupby

import keras
import numpy as np
from numpy.typing import NDArray

from yt8m_kit import models
from yt8m_kit.data.format.examples import Video
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.selection import read_selected
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.inference.drawn_frames import drawer, draws_of, expected_share, sampling_layer
from yt8m_kit.inference.member_model import model_of
from yt8m_kit.inference.resampled_shards import ResampledShards, num_frames
from yt8m_kit.inference.sample_request import SampleRequest
from yt8m_kit.layers.inputs.sampling import Sample, Segments
from yt8m_kit.output import progress
from yt8m_kit.output.tables import Row, plain

WIDTH = 110  # characters of a line of frame numbers


def sample_table(request: SampleRequest) -> str:
    """A row for each video and pass, epochs of training first, with the frame numbers below it.

    The videos are one batch, drawn from by the layer of the member's untrained model from its first step on.
    Of a member that does not sample: a line that says what it sees. Raises DataError where no video is good.
    """
    layer = _layer_of(request)
    if layer is None:
        return f"{_sees_all(request)}\n"
    max_frames, videos = request.experiment.recipe.dataset.max_frames, _videos(request)
    draw, counts = drawer(layer, max_frames), num_frames(videos, max_frames)
    passes = [(f"epoch {number}", True) for number in range(1, request.epochs + 1)] + [("prediction", False)]
    drawn = [(title, training, draw(counts, training)) for title, training in passes]
    rows, below = [], []
    for i, (video, count) in enumerate(zip(videos, counts.tolist())):
        for title, training, frames_BS in drawn:
            found = _figures(frames_BS[i], count, expected_share(layer, count, training))
            rows.append({"video": video.id, "frames": _length(video, count), "pass": title, **found})
            below.append(textwrap.wrap(compact(frames_BS[i]), WIDTH))
    return "\n".join([_heading(request, layer), "", *_interleaved(plain(rows), below), ""])


def write_resampled(request: SampleRequest, shards: ResampledShards) -> None:
    """Write shards of the frames that the layer draws in training. Raises UsageError if it draws none."""
    layer = _layer_of(request)
    if layer is None:
        raise UsageError(f"{_sees_all(request)} There is nothing to resample.")
    max_frames, draws = request.experiment.recipe.dataset.max_frames, draws_of(layer, True)
    if draws > max_frames:
        progress.say(
            f"the records have {draws} frames each, of which models of this data set read {max_frames}"
        )
    shards.write(drawer(layer, max_frames))


def _layer_of(request: SampleRequest) -> Sample | Segments | None:
    member = request.member
    return sampling_layer(model_of(member, request.experiment.recipe.dataset, member.precision))


def _heading(request: SampleRequest, layer: Sample | Segments) -> str:
    seed = request.member.hyperparameters.get("seed", 0)
    what = "frames with replacement" if isinstance(layer, Sample) else "frames, one of each segment,"
    return (
        f"{request.name} ({request.member.family}) draws {draws_of(layer, True)} {what} in training and sees "
        f"{draws_of(layer, False)} at prediction; seed {seed}, backend {keras.backend.backend()}"
    )


def _sees_all(request: SampleRequest) -> str:
    """What a member sees that does not sample: all frames, and the outline of its family."""
    family, length = request.member.family, request.experiment.recipe.dataset.max_frames
    return (
        f"{request.name} ({family}) does not sample: in training as at prediction it sees each of the first "
        f"{length} frames of a video once. {models.description(family)}."
    )


def _videos(request: SampleRequest) -> list[Video]:
    faults = Faults()
    videos = list(read_selected(request.selection, request.experiment.recipe.dataset, faults))
    if not videos:
        raise DataError(f"no usable record in {request.experiment.data}: {faults.summary()}")
    if faults:
        progress.say(faults.summary())
    return videos


def _length(video: Video, used: int) -> str:
    """The number of frames, and how many of them models get."""
    length = len(video.features[0])
    return f"{used}" if length == used else f"{used} of {length}"


def _figures(frames_S: NDArray[np.uint32], num_frames: int, expected: float) -> Row:
    distinct = len(np.unique(frames_S))
    shares = {"share": f"{distinct / num_frames:.4f}", "expected": f"{expected:.4f}"}
    return {"draws": len(frames_S), "distinct": distinct, **shares}


def compact(frames_S: NDArray[np.uint32]) -> str:
    """Frame numbers in ascending order: `4` and `5-9` once each, `12x3` three times, `20-29x2` twice each."""
    numbers, times = np.unique(frames_S, return_counts=True)
    pairs = zip(numbers.tolist(), times.tolist())
    # Within a run of consecutive numbers drawn equally often, number minus index is constant.
    runs = groupby(enumerate(pairs), key=lambda item: (item[1][0] - item[0], item[1][1]))
    texts = []
    for (_, repeats), run in runs:
        found = [number for _, (number, _) in run]
        span = f"{found[0]}-{found[-1]}" if len(found) > 1 else f"{found[0]}"
        texts.append(span if repeats == 1 else f"{span}x{repeats}")
    return " ".join(texts)


def _interleaved(table: str, below: list[list[str]]) -> list[str]:
    """The lines of a table with further lines below each row."""
    heading, *lines = table.splitlines()
    return [
        heading,
        *(each for line, more in zip(lines, below) for each in (line, *(f"    {m}" for m in more))),
    ]
