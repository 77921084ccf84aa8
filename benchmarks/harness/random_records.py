"""For the benchmarks, nothing to run here: records in the real layout, of random bytes."""

from pathlib import Path

import numpy as np

from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.dataset import YOUTUBE8M_2018


def write(
    folder: Path,
    videos: int,
    shards: int = 2,
    split: str = "train",
    *,
    least: int = YOUTUBE8M_2018.max_frames,
    most: int = YOUTUBE8M_2018.max_frames,
) -> list[Path]:
    """Shards of so many videos altogether, of `least` to `most` frames: 350 kB each with 300."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{split}{shard:04d}.tfrecord" for shard in range(shards)]
    for path, numbers in zip(paths, np.array_split(np.arange(videos), shards)):
        with tfrecord.writing(path) as add:
            for number in numbers:
                frames = rng.integers(least, most + 1)
                features = {
                    name: rng.integers(0, 256, (frames, width), np.uint8)
                    for name, width in YOUTUBE8M_2018.features
                }
                labels = sorted(rng.choice(YOUTUBE8M_2018.classes, 3, replace=False).tolist())
                add(sequence_example(f"{number:04d}", labels, features))
    return paths
