"""Small videos, a recipe for them and a small network with random weights."""

import numpy as np
import pytest

RECIPE = """
from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe

RECIPE = Recipe(
    name="filmed",
    description="videos of a test",
    dataset=Dataset("filmed", (("rgb", 576),), classes=2, max_frames=8),
    members={"mean": Member("frame_logistic", epochs=1, learning_rate=1e-2)},
    ensembles={"all": Ensemble(("mean",))},
)
"""


def write_video(path, grey, *, rate=5, sound=None):
    """An MPEG-4 video whose frames have these grey values; sound: float samples at 16 kHz."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=rate)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=16_000, layout="mono") if sound is not None else None
        for value in grey:
            image = np.full((64, 64, 3), value, np.uint8)
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video.encode(None))
        if audio is not None:
            samples = (sound * 32767).astype(np.int16)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = 16_000
            file.mux(audio.encode(frame))
            file.mux(audio.encode(None))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Random weights of MobileNetV3Small at 32 pixels."""
    import keras

    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    net = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    net.save_weights(path)
    return path


@pytest.fixture
def films(tmp_path, monkeypatch):
    """Six videos of two to four seconds in folders of two classes; the recipe `filmed`."""
    rng = np.random.default_rng(0)
    for number in range(6):
        kind = ("cat", "dog")[number % 2]
        write_video(tmp_path / f"videos/{kind}/{number}.avi", rng.integers(0, 256, 10 + 2 * number))
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "filmed.py").write_text(f'"""Videos of a test."""\n{RECIPE}')
    monkeypatch.setenv("YT8M_RECIPES", str(recipes))
    return tmp_path / "videos"
