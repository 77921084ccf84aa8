"""For the benchmarks, nothing to run here: a training script in the manner of the starter code.

    python -m benchmarks.baselines.starter_like DATA MARK

Makes the file MARK when the first batch has ended.
"""

import sys
from pathlib import Path

import keras
import tensorflow as tf

from benchmarks.baselines import naive
from yt8m_kit.dataset import YOUTUBE8M_2018 as DATASET
from yt8m_kit.layers.losses import label_loss

BATCH = 64


def parse(record: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor], tf.Tensor]:
    """A record to its id, padded bytes with their number of frames, and multi-hot labels."""
    context, lists = tf.io.parse_single_sequence_example(
        record,
        context_features={
            "id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
        },
        sequence_features={
            name: tf.io.FixedLenSequenceFeature([], tf.string) for name, _ in DATASET.features
        },
    )
    parts = [
        tf.reshape(tf.io.decode_raw(lists[name], tf.uint8), [-1, width])[: DATASET.max_frames]
        for name, width in DATASET.features
    ]
    count = tf.shape(parts[0])[0]
    frames = tf.pad(tf.concat(parts, 1), [[0, DATASET.max_frames - count], [0, 0]])
    frames = tf.ensure_shape(frames, (DATASET.max_frames, DATASET.width))
    labels = tf.sparse.to_indicator(context["labels"], DATASET.classes)
    return context["id"], {"frames": frames, "num_frames": count}, tf.cast(labels, tf.float32)


class Mark(keras.callbacks.Callback):
    """Makes a file at the end of the first batch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.path.touch()


def main(data: str, mark: str) -> None:
    """Trains."""
    paths = [str(path) for path in sorted(Path(data).glob("train*.tfrecord"))]
    videos = tf.data.TFRecordDataset(paths).map(lambda record: parse(record)[1:]).batch(BATCH).prefetch(1)
    model = naive.netvlad(DATASET, clusters=64, hidden=1024)
    model.compile(keras.optimizers.Adam(clipnorm=1.0), loss=lambda y, p: label_loss(y, p, 1e-5))
    model.fit(videos, callbacks=[Mark(Path(mark))], verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
