"""Draw videos of eight kinds, moving shapes with tones, and write random weights of two networks.

    python -m tools.draw_videos OUT [--clips 200]

OUT/train/KIND, OUT/validate/KIND and OUT/test hold clips of four seconds, 60, 20 and 20 % of them;
test/own.mp4 is another one, a larger ring. OUT/image.weights.h5 is of MobileNetV3Small, OUT/sound.ckpt of
VGGish. Each time the same clips are drawn. OUT appears once it is complete.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from yt8m_kit import backend
from yt8m_kit.output import progress
from yt8m_kit.output.files import replacing_folder

SECONDS, RATE, SIDE = 4, 10, 96  # of a clip, images a second, pixels
SAMPLES = 16_000  # a second
SHARES = (("train", 0.6), ("validate", 0.2), ("test", 0.2))
Mask = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]


class Kind(NamedTuple):
    """mask: of points whose coordinates are 1 at the edge. across, up: turns a second, to and fro.

    tone: Hz. beats: of the tone a second, 0 for a steady one.
    """

    mask: Mask
    across: float
    up: float
    tone: float
    beats: float


KINDS = {
    "bar": Kind(lambda x, y: (abs(x) < 1) & (abs(y) < 0.25), 0.5, 0.0, 220, 0),
    "circle": Kind(lambda x, y: x**2 + y**2 < 1, 0.5, 0.0, 220, 0),
    "cross": Kind(
        lambda x, y: (abs(x) < 1) & (abs(y) < 1) & ((abs(x) < 0.3) | (abs(y) < 0.3)), 0, 0.5, 330, 4
    ),
    "dots": Kind(
        lambda x, y: (np.hypot(x % 0.7 - 0.35, y % 0.7 - 0.35) < 0.2) & (abs(x) < 1), 0, 0.5, 330, 4
    ),
    "ring": Kind(lambda x, y: abs(x**2 + y**2 - 0.8) < 0.2, 0, 0.5, 440, 0),
    "square": Kind(lambda x, y: (abs(x) < 0.9) & (abs(y) < 0.9), 0.25, 0.25, 440, 0),
    "stripes": Kind(lambda x, y: (x % 0.5 < 0.25) & (abs(y) < 1), 1.0, 0.0, 660, 8),
    "triangle": Kind(lambda x, y: (y < 0.8) & (y > 2 * abs(x) - 0.8), 0.25, 0.25, 660, 8),
}


def images(kind: Kind, rng: np.random.Generator, side: int, rate: int) -> NDArray[np.uint8]:
    """Draw the frames of a clip, uint8 (T, side, side, 3), in colours, size, place and speed of its own."""
    times_T = np.arange(SECONDS * rate) / rate
    front, back = rng.integers(110, 256, 3), rng.integers(0, 100, 3)
    size, start, speed = rng.uniform(0.3, 0.5), rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.8, 1.2)
    place_T2 = 0.5 * np.sin(2 * np.pi * speed * times_T[:, None] * [kind.across, kind.up] + start)
    axis = np.linspace(-1, 1, side)
    frames = np.empty((len(times_T), side, side, 3), np.uint8)
    for frame, (left, up) in zip(frames, place_T2):
        mask = kind.mask((axis[None, :] - left) / size, (axis[:, None] - up) / size)
        frame[:] = np.where(mask[..., None], front, back)
    noise = rng.integers(0, 20, frames.shape, np.uint8)
    return np.minimum(frames, 235) + noise


def sound(kind: Kind, rng: np.random.Generator) -> NDArray[np.int16]:
    """A tone of a clip, int16 (n,), up to half a tone higher or lower, with noise."""
    times = np.arange(SECONDS * SAMPLES) / SAMPLES
    tone = np.sin(2 * np.pi * kind.tone * 2 ** rng.uniform(-1 / 12, 1 / 12) * times)
    loud = 0.5 + 0.5 * np.cos(2 * np.pi * kind.beats * times)
    return (8_000 * tone * loud + 800 * rng.normal(size=times.size)).astype(np.int16)


def write(path: Path, frames: NDArray[np.uint8], samples: NDArray[np.int16], rate: int) -> None:
    """Write a clip as MPEG-4 with AAC sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream("mpeg4", rate=rate, options={"qscale": "4"})
        video.height, video.width, video.pix_fmt = *frames.shape[1:3], "yuv420p"
        audio: Any = file.add_stream("aac", rate=SAMPLES, layout="mono")
        for image in frames:
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLES
        file.mux(audio.encode(frame))
        file.mux(audio.encode(None))


def draw(folder: Path, clips: int) -> None:
    """Draw the clips of all splits, each kind in turn, and own.mp4."""
    names = list(KINDS)
    ends = np.cumsum([0, *(round(clips * share) for _, share in SHARES)])
    with progress.bar(clips, "draw") as bar:
        for (split, _), first, end in zip(SHARES, ends, ends[1:]):
            for number in range(first, end):
                name = names[number % len(names)]
                rng = np.random.default_rng((0, number))
                within = folder / split if split == "test" else folder / split / name
                frames = images(KINDS[name], rng, SIDE, RATE)
                write(within / f"{name}_{number:03}.mp4", frames, sound(KINDS[name], rng), RATE)
                bar.update()
    rng = np.random.default_rng(1)
    write(folder / "test/own.mp4", images(KINDS["ring"], rng, 240, 25), sound(KINDS["ring"], rng), 25)


def write_weights(folder: Path) -> None:
    """Write random weights: of MobileNetV3Small without its classifier, of VGGish as a checkpoint."""
    backend.start("tensorflow")
    import keras
    import tensorflow as tf

    from yt8m_kit.extraction.networks.vggish import network

    keras.utils.set_random_seed(0)
    net = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    net.save_weights(folder / "image.weights.h5")
    variables = {
        f"vggish/{layer.name.replace('__', '/')}/{name}": variable.value
        for layer in network().layers
        for variable, name in zip(layer.weights, ("weights", "biases"))
    }
    tf.raw_ops.Save(
        filename=str(folder / "sound.ckpt"), tensor_names=list(variables), data=list(variables.values())
    )


def main() -> None:
    """Draw the videos and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    options = parser.parse_args()
    if options.out.exists():
        if (found := len([*options.out.rglob("*.mp4")])) != options.clips + 1:
            raise SystemExit(f"{options.out} has {found} videos, not {options.clips + 1}: delete it.")
        print(f"up to date: {options.out}")
        return
    with replacing_folder(options.out) as temporary:
        draw(temporary, options.clips)
        write_weights(temporary)
    print(options.out)


if __name__ == "__main__":
    main()
