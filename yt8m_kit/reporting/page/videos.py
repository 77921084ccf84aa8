"""Videos whose predictions are most confidently wrong."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yt8m_kit.dataset import Dataset
from yt8m_kit.metrics import top
from yt8m_kit.reporting.page.labels import Names

SHOWN = 12  # videos
PREDICTED = 5  # labels of a video
YOUTUBE = re.compile(r"[\w-]{11}")
ANONYMOUS = re.compile(r"\w{4}")  # ids of YouTube-8M, whose pages give those of YouTube


def misses(
    ids: NDArray[np.str_],
    probabilities_NC: NDArray[np.float32],
    truth_NC: NDArray[np.bool_],
    names: Names,
    dataset: Dataset,
) -> list[dict[str, Any]]:
    """The videos with the highest confidence of a false label: predicted and true labels, and a link."""
    false_N = np.where(truth_NC, 0, probabilities_NC).max(axis=1)
    worst = np.argsort(-false_N, kind="stable")[:SHOWN]
    labels_Nk, confidences_Nk = top(probabilities_NC[worst], PREDICTED)
    found = []
    for video, labels, confidences in zip(worst.tolist(), labels_Nk.tolist(), confidences_Nk.tolist()):
        truth_C = truth_NC[video]
        predicted = [
            {"name": names(label), "confidence": confidence, "true": bool(truth_C[label])}
            for label, confidence in zip(labels, confidences)
        ]
        true = [
            {"name": names(label), "confidence": float(probabilities_NC[video, label])}
            for label in np.flatnonzero(truth_C).tolist()
        ]
        identity = str(ids[video])
        found.append({"id": identity, "link": link(identity, dataset), "predicted": predicted, "true": true})
    return found


def link(identity: str, dataset: Dataset) -> str | None:
    """Address of a video by its id, None where the id allows none.

    Ids of 11 characters are YouTube's. YouTube-8M has ids of four, each with a page that holds YouTube's:
    https://research.google.com/youtube8m/video_id_conversion.html
    """
    if YOUTUBE.fullmatch(identity):
        return f"https://www.youtube.com/watch?v={identity}"
    if dataset.competition and ANONYMOUS.fullmatch(identity):
        return f"https://data.yt8m.org/2/j/i/{identity[:2]}/{identity}.js"
    return None
