"""For the benchmarks, nothing to run here: records in the real layout, of 300 frames of random bytes."""

from pathlib import Path

import numpy as np

from yt8m_kit.data import tfrecord
from yt8m_kit.data.examples import sequence_example
from yt8m_kit.spec import YOUTUBE8M_2018


def write(folder: Path, videos: int, shards: int = 2, split: str = "train") -> list[Path]:
    """Shards of so many videos altogether, 350 kB each."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{split}{shard:04d}.tfrecord" for shard in range(shards)]
    for path, numbers in zip(paths, np.array_split(np.arange(videos), shards)):
        with tfrecord.writing(path) as add:
            for number in numbers:
                features = {
                    name: rng.integers(0, 256, (YOUTUBE8M_2018.max_frames, width), np.uint8)
                    for name, width in YOUTUBE8M_2018.features
                }
                labels = sorted(rng.choice(YOUTUBE8M_2018.classes, 3, replace=False).tolist())
                add(sequence_example(f"{number:04d}", labels, features))
    return paths
