"""For the benchmarks, nothing to run here: features of videos by a loop as one writes it in a notebook.

    python -m benchmarks.baselines.plain_extract VIDEOS WEIGHTS FILE

Decodes all frames of a clip, keeps one a second, resamples its sound, and calls predict() of both networks on
each clip. WEIGHTS holds image.weights.h5 and sound.ckpt of tools/draw_videos.py.
"""

import sys
from pathlib import Path
from typing import Any

import av
import keras
import numpy as np
import tensorflow as tf

from yt8m_kit.extraction.networks.vggish import network

SIDE, RATE = 96, 16_000


def decode(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames of each second, uint8 (T, SIDE, SIDE, 3), and the sound, float32 (n,)."""
    with av.open(str(path)) as file:
        frames = [each.to_ndarray(format="rgb24", width=SIDE, height=SIDE) for each in file.decode(video=0)]
        every = round(file.streams.video[0].average_rate or 1)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as file:
        parts = [part.to_ndarray()[0] for each in file.decode(audio=0) for part in resampler.resample(each)]
    return np.stack(frames[::every]), np.concatenate(parts).astype(np.float32) / 32768


def patches(samples: np.ndarray, count: int) -> Any:
    """Log-mel patches that begin at each second, float32 (count, 96, 64)."""
    starts = [RATE * second for second in range(count)]
    needed = starts[-1] + 95 * 160 + 400
    padded = np.pad(samples, (0, max(0, needed - len(samples))))
    sound = np.stack([padded[start : start + 95 * 160 + 400] for start in starts])
    magnitudes = abs(tf.signal.stft(sound, 400, 160, 512))
    weights = tf.signal.linear_to_mel_weight_matrix(64, 257, RATE, 125.0, 7500.0)
    return tf.math.log(magnitudes @ weights + 0.01)


def sound_network(checkpoint: Path) -> Any:
    """VGGish with its weights."""
    model = network()
    reader = tf.train.load_checkpoint(str(checkpoint))
    for layer in model.layers:
        for variable, name in zip(layer.weights, ("weights", "biases")):
            variable.assign(reader.get_tensor(f"vggish/{layer.name.replace('__', '/')}/{name}"))
    return model


def feature(values: np.ndarray) -> Any:
    """A FeatureList of bytes, one entry a frame."""
    codes = np.clip((values + 2) * 255 / 4, 0, 255).astype(np.uint8)
    rows = [tf.train.Feature(bytes_list=tf.train.BytesList(value=[row.tobytes()])) for row in codes]
    return tf.train.FeatureList(feature=rows)


def main(videos: str, weights: str, out: str) -> None:
    """Extract all videos into one file."""
    classes = sorted(each.name for each in Path(videos).iterdir())
    image = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    image.load_weights(Path(weights) / "image.weights.h5")
    sound = sound_network(Path(weights) / "sound.ckpt")
    with tf.io.TFRecordWriter(out) as writer:
        for path in sorted(Path(videos).rglob("*.mp4")):
            frames, samples = decode(path)
            rgb = image.predict(frames, verbose=0)
            audio = sound.predict(patches(samples, len(frames)), verbose=0)
            label = tf.train.Int64List(value=[classes.index(path.parent.name)])
            name = tf.train.BytesList(value=[path.name.encode()])
            context = {"id": tf.train.Feature(bytes_list=name), "labels": tf.train.Feature(int64_list=label)}
            lists = {"rgb": feature(rgb), "audio": feature(audio)}
            record = tf.train.SequenceExample(
                context=tf.train.Features(feature=context),
                feature_lists=tf.train.FeatureLists(feature_list=lists),
            )
            writer.write(record.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
