"""Labels: average precision against training videos, confused pairs, and reliability of confidences.

Shapes: N videos, C classes, k labels kept of a video.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.loader import label_counts, splits
from yt8m_kit.errors import KitError
from yt8m_kit.metrics import average_precision, hits_of, top
from yt8m_kit.output import progress
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.reporting.page.blends import Predicted
from yt8m_kit.stores.path import DataPath

PAIRS = 15  # confused pairs shown
BINS = 10  # of confidence
LISTED = 10  # best and worst labels

Floats = NDArray[np.float32]


class Names:
    """Names, verticals and counts of training videos by label, as far as the vocabulary has them."""

    def __init__(self, data: DataPath, classes: int | None = None):
        path = data / vocabulary.FILE
        self._entries: dict[int, vocabulary.Entry] = {}
        if path.exists():
            try:
                self._entries = vocabulary.read_entries(path, classes)
            except KitError as error:
                progress.say(str(error))

    def __call__(self, label: int) -> str:
        """The label's name, else "label NUMBER"."""
        entry = self._entries.get(label)
        return entry.name if entry else f"label {label}"

    def vertical(self, label: int) -> str:
        """The label's vertical; empty where there is none."""
        entry = self._entries.get(label)
        return entry.vertical if entry else ""

    def training_videos(self) -> dict[int, int]:
        """Published counts of training videos by label; empty without any."""
        return {label: e.videos for label, e in self._entries.items() if e.videos is not None}


def training_videos(stages: Stages, names: Names) -> tuple[Mapping[int, int], str]:
    """Number of training videos by label, and where it is from: "records", "vocabulary" or "" (unknown)."""
    data = stages.experiment.data
    try:
        found = splits.find(data, "train") if splits.folders(data, "train") else []
        paths = [path for path in found if isinstance(path, Path)]  # shards of a store are not read for this
        if paths and sum(path.stat().st_size for path in paths) <= label_counts.COUNTED:
            return label_counts.count_labels(paths, stages.recipe.dataset), "records"
    except KitError as error:
        progress.say(f"training videos of each label are not counted: {error}")
    counts = names.training_videos()
    return counts, "vocabulary" if counts else ""


def precisions(
    probabilities_NC: Floats, truth_NC: NDArray[np.bool_], names: Names, counts: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Average precision of each label that occurs in the split, the best first.

    counts: training videos by label; where they are not known, `train` is None.
    """
    rows = []
    for label in np.flatnonzero(truth_NC.any(axis=0)).tolist():
        truth_N = truth_NC[:, label]
        row = {"label": label, "name": names(label), "vertical": names.vertical(label)}
        row |= {"train": counts.get(label), "videos": int(truth_N.sum())}
        rows.append(row | {"ap": average_precision(probabilities_NC[:, label], truth_N)})
    return sorted(rows, key=lambda row: -row["ap"])


def verticals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean average precision of the labels of each vertical; empty without verticals."""
    kinds = sorted({row["vertical"] for row in rows if row["vertical"]})
    own = {kind: [row["ap"] for row in rows if row["vertical"] == kind] for kind in kinds}
    return [{"vertical": kind, "labels": len(ap), "ap": float(np.mean(ap))} for kind, ap in own.items()]


def confused(probabilities_NC: Floats, truth_NC: NDArray[np.bool_], names: Names) -> list[dict[str, Any]]:
    """The pairs of a true label and a false one of the top 20 that was ranked above it most often."""
    labels_Nk, confidences_Nk = top(probabilities_NC)
    pairs: Counter[tuple[int, int]] = Counter()
    for video, (labels, confidences) in enumerate(zip(labels_Nk, confidences_Nk)):
        pairs.update(_above(labels, confidences, probabilities_NC[video], truth_NC[video]))
    videos = truth_NC.sum(axis=0)
    return [
        {"true": names(true), "false": names(false), "times": times, "videos": int(videos[true])}
        for (true, false), times in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    ]


def _above(
    labels_k: NDArray[np.int32], confidences_k: Floats, probabilities_C: Floats, truth_C: NDArray[np.bool_]
) -> Iterator[tuple[int, int]]:
    is_false = ~truth_C[labels_k]
    for true in np.flatnonzero(truth_C).tolist():
        for false in labels_k[is_false & (confidences_k > probabilities_C[true])].tolist():
            yield true, false


def reliability(found: Predicted, blend: str, probabilities_NC: Floats) -> list[dict[str, Any]]:
    """Share of true labels by bin of confidence, over the top 20 of each video, of members and the blend."""
    rows = list(_bins(blend, *_top_hits(probabilities_NC, found.truth)))
    members, hits = found.candidates.members, found.candidates.hits
    for name, member in zip(found.read, members):
        if name != blend:
            rows += [row | {"member": name} for row in _bins(name, *_top_hits(member, hits))]
    return rows


def _top_hits(probabilities: Floats, truth: NDArray[Any]) -> tuple[Floats, NDArray[np.bool_]]:
    labels, confidences = top(probabilities)
    return confidences, hits_of(labels, truth)


def _bins(name: str, confidences: Floats, hits: NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    which = np.minimum((confidences * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        chosen = which == number
        if count := int(chosen.sum()):
            mean = float(confidences[chosen].mean(dtype=np.float64))
            yield {"name": name, "confidence": mean, "true": float(hits[chosen].mean()), "count": count}
