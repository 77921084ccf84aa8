"""`yt8m extract` of clips with sound, against features computed here by formulas."""

import subprocess
import sys
from pathlib import Path

import av
import keras
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import tensorflow as tf

from tools import draw_videos
from yt8m_kit.output.sealed import read_sealed

TOP = Path(__file__).parents[2]
SIDE = draw_videos.SIDE
RECIPE = '''"""Clips of a test."""

from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe

RECIPE = Recipe(
    name="clips",
    description="clips of a test",
    dataset=Dataset("clips", (("rgb", 576), ("audio", 128)), classes=2, max_frames=3),
    members={"mean": Member("frame_logistic", epochs=1, learning_rate=1e-2)},
    ensembles={"all": Ensemble(("mean",))},
)
'''


def decoded(path):
    """Images of 0, 1 and 2 s, ten to the second; sound from the first of them on."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))[:30:10]
    images = np.stack([frame.to_ndarray(format="rgb24", width=SIDE, height=SIDE) for frame in frames])
    samples = np.zeros(16_000 * 6)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            for part in resampler.resample(frame):
                at = round(float(part.time - frames[0].time) * 16_000)
                values = part.to_ndarray().reshape(-1)[max(0, -at) :] / 32768
                samples[max(0, at) : max(0, at) + len(values)] = values
    return images, samples


def log_mel(samples):
    """96 windows of 25 ms every 10 ms in 64 bands, from the definition of mel."""
    hertz = np.fft.rfftfreq(512, 1 / 16_000)
    mels = 1127 * np.log(1 + hertz / 700)
    edges = np.linspace(1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700), 66)
    bands = np.stack([np.interp(mels, edges[i : i + 3], [0, 1, 0]) for i in range(64)], 1)
    window = scipy.signal.get_window("hann", 400)
    windows = np.stack([samples[160 * i : 160 * i + 400] * window for i in range(96)])
    return np.log(abs(scipy.fft.rfft(windows, 512)) @ bands + 0.01)


def convolved(image, kernel, bias):
    """A 3 x 3 convolution of (H, W, C) with zeros around it, followed by ReLU."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    total = sum(padded[i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3))
    return np.maximum(total + bias, 0)


def halved(image):
    """The largest of every 2 x 2 values."""
    height, width, channels = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))


def vggish(patch, weights):
    """128 values of (96, 64), layer by layer; weights: tensors by name."""
    net = patch[:, :, None]
    for block in (
        ["conv1"],
        ["conv2"],
        ["conv3/conv3_1", "conv3/conv3_2"],
        ["conv4/conv4_1", "conv4/conv4_2"],
    ):
        for name in block:
            net = convolved(net, weights[f"vggish/{name}/weights"], weights[f"vggish/{name}/biases"])
        net = halved(net)
    net = net.reshape(-1)
    for name in ("fc1/fc1_1", "fc1/fc1_2"):
        net = np.maximum(net @ weights[f"vggish/{name}/weights"] + weights[f"vggish/{name}/biases"], 0)
    return net @ weights["vggish/fc2/weights"] + weights["vggish/fc2/biases"]


def records(folder):
    """Codes (T, D) by feature, by id."""
    found = {}
    for record in tf.data.TFRecordDataset([str(path) for path in folder.glob("*.tfrecord")]):
        example = tf.train.SequenceExample.FromString(record.numpy())
        key = example.context.feature["id"].bytes_list.value[0].decode()
        found[key] = {
            name: np.stack([np.frombuffer(row.bytes_list.value[0], np.uint8) for row in rows.feature])
            for name, rows in example.feature_lists.feature_list.items()
        }
    return found


@pytest.mark.long
def test_features_in_the_shards_are_those_of_the_formulas(tmp_path, monkeypatch):
    for number, name in enumerate(["cross", "ring"]):
        kind, rng = draw_videos.KINDS[name], np.random.default_rng(number)
        frames = draw_videos.images(kind, rng, SIDE, draw_videos.RATE)
        path = tmp_path / f"videos/{name}/clip.mp4"
        draw_videos.write(path, frames, draw_videos.sound(kind, rng), draw_videos.RATE)
    draw_videos.write_weights(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/clips.py").write_text(RECIPE)
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path / "recipes"))
    network = ["--image=MobileNetV3Small", f"--image_weights={tmp_path / 'image.weights.h5'}"]
    network += [f"--size={SIDE}", f"--audio_weights={tmp_path / 'sound.ckpt'}"]
    command = [sys.executable, "-m", "yt8m_kit.cli", "extract", str(tmp_path / "videos")]
    subprocess.run([*command, str(tmp_path / "data"), "--recipe=clips", *network], cwd=TOP, check=True)

    net = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    net.load_weights(tmp_path / "image.weights.h5")
    reader = tf.train.load_checkpoint(str(tmp_path / "sound.ckpt"))
    weights = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    scales = read_sealed(tmp_path / "data/scale.json")["centre, half_range"]
    found = records(tmp_path / "data/train")
    assert sorted(found) == ["cross/clip.mp4", "ring/clip.mp4"]
    for key, codes in found.items():
        images, samples = decoded(tmp_path / "videos" / key)
        patches = [log_mel(samples[16_000 * second :]) for second in range(3)]
        expected = {"rgb": np.asarray(net(images.astype(np.float32), training=False))}
        expected["audio"] = np.stack([vggish(patch, weights) for patch in patches])
        for name, values in expected.items():
            centre, half_range = map(np.array, scales[name])
            step = 4 / 255 * half_range
            again = (codes[name] * (4 / 255) - 2) * half_range + centre
            assert again.shape == values.shape
            assert (step[np.ptp(values, 0) > 0] > 0).all()
            rounding = 32 * np.finfo(np.float32).eps * abs(values).max()  # of float32, over the layers
            excess = (abs(again - values) - step / 2).max()
            assert excess < rounding, (key, name, excess / rounding)
            assert rounding < 0.05 * np.median(step)
