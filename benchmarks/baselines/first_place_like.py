"""For the benchmarks, nothing to run here: inference in the manner of first place's kit, in TensorFlow 2.

    python -m benchmarks.baselines.first_place_like DATA GRAPH CSV

The starter code's reading and writing around a graph: records parsed by TensorFlow, the top 20 of each video
picked and formatted in Python.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.baselines.starter_like import parse
from benchmarks.harness import quiet  # noqa: F401
from benchmarks.inference.csv_text import number_by_number
from yt8m_kit.metrics import TOP
from yt8m_kit.submission.csv_reader import HEADER

BATCH = 128


def top(probabilities_BC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and confidences of each video, (B, 20) each, video by video."""
    labels, confidences = [], []
    for probabilities in probabilities_BC:
        best = np.argpartition(probabilities, -TOP)[-TOP:]
        best = best[np.argsort(-probabilities[best])]
        labels.append(best)
        confidences.append(probabilities[best])
    return np.array(labels, np.int32), np.array(confidences)


def main(data: str, graph: str, out: str) -> None:
    """Predicts the test split."""
    paths = [str(path) for path in sorted(Path(data).glob("test*.tfrecord"))]
    videos = tf.data.TFRecordDataset(paths).map(parse).batch(BATCH).prefetch(1)
    loaded = tf.saved_model.load(graph)
    run = loaded.signatures["serving_default"]
    with Path(out).open("w", encoding="utf-8") as file:
        file.write(HEADER + "\n")
        for ids, inputs, _ in videos:
            probabilities_BC = run(**inputs)["probabilities"].numpy()
            names = [identity.decode() for identity in ids.numpy()]
            file.write(number_by_number(names, *top(probabilities_BC)))


if __name__ == "__main__":
    main(*sys.argv[1:])
