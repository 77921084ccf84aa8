"""Sampling: which frames are drawn, in training and at prediction."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.support.reference import COUNTS, SMALL, near, random_video
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.layers.inputs.frames import video_inputs
from yt8m_kit.layers.inputs.sampling import Sample, average_rounds
from yt8m_kit.layers.pooling.mean import MeanFrame

NUMBERED = Dataset("numbered", (("rgb", 1),), classes=1, max_frames=300)


def drawn(draws, counts, training=False, number=0):
    """Positions sampled by a Sample layer: frame t contains the byte t % 256."""
    counts = np.asarray(counts, np.int32)
    codes = np.broadcast_to(np.arange(300, dtype=np.uint8)[:, None], (len(counts), 300, 1))
    layer = Sample(draws, seed=5)
    layer.round = number
    return ops.convert_to_numpy(layer(codes, counts, training=training).codes)[..., 0]


def test_cover_keeps_every_real_frame_in_order_then_repeats_some():
    for count in (1, 2, 40, 255):
        positions = drawn(300, [count])[0]
        assert np.array_equal(positions[:count], np.arange(count))
        assert positions.max() < count
    assert len(np.unique(drawn(300, [200])[0][200:])) > 50


def test_cover_of_too_many_frames_spreads_over_the_video():
    positions = drawn(10, [250])[0].astype(int)
    assert np.array_equal(positions // 25, np.arange(10))


def test_a_prediction_depends_neither_on_the_batch_nor_on_the_run():
    alone, among = drawn(300, [17]), drawn(300, [3, 17, 250])
    assert np.array_equal(alone[0], among[1])
    assert np.array_equal(drawn(300, [17]), alone)


def test_rounds_differ_in_their_draws_alone():
    first, second = drawn(300, [100])[0], drawn(300, [100], number=1)[0]
    assert np.array_equal(first[:100], second[:100])
    assert not np.array_equal(first[100:], second[100:])


def test_training_draws_with_replacement_from_real_frames_only():
    positions = drawn(300, [1, 50, 200, 200], training=True)
    assert [row.max() < n for row, n in zip(positions, (1, 50, 200))] == [True] * 3
    assert not np.array_equal(positions[2], positions[3])
    # 300 draws out of 200 leave out (1 - 1/200)^300 = 22 % of the frames.
    assert 135 < len(np.unique(positions[2])) < 175


def test_training_draws_change_from_step_to_step():
    layer = Sample(30, seed=0)
    codes, counts = random_video()
    first, second = (ops.convert_to_numpy(layer(codes, counts, training=True).codes) for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("draws", [None, 4, 20])
def test_garbage_after_the_last_frame_is_never_seen(draws):
    codes, counts = random_video()
    other = codes.copy()
    other[np.arange(9) >= counts[:, None]] = 255
    model = _mean_model(draws)
    near(model({"frames": codes, "num_frames": counts}), model({"frames": other, "num_frames": counts}), 0)


def test_a_video_without_frames_is_finite():
    codes, _ = random_video()
    for draws in (None, 5):
        out = _mean_model(draws)({"frames": codes, "num_frames": np.zeros(4, np.int32)})
        near(out, np.zeros((4, 17)))


def test_average_rounds_is_the_mean_of_the_rounds_and_restores_them():
    codes, counts = random_video()
    model = _mean_model(20)
    sample = model.get_layer("sample")
    inputs = {"frames": codes, "num_frames": counts}
    single = []
    for number in range(3):
        sample.round = number
        single.append(ops.convert_to_numpy(model(inputs)))
    sample.round = 7
    near(average_rounds(model, inputs, 3), np.mean(single, axis=0), 1e-6)
    assert sample.round == 7
    assert not np.allclose(single[0], single[1])


def test_average_rounds_runs_a_model_that_does_not_sample_once():
    codes, counts = random_video()
    model, inputs = _mean_model(None), {"frames": codes, "num_frames": counts}
    near(average_rounds(model, inputs, 3), model(inputs), 0)


def test_bad_arguments():
    with pytest.raises(UsageError, match="draws must be at least 1, or None for all frames; got draws=0"):
        Sample(0)
    with pytest.raises(UsageError, match="rounds must be at least 1; got rounds=0"):
        average_rounds(_mean_model(None), {"frames": random_video()[0], "num_frames": COUNTS}, 0)


def _mean_model(draws):
    inputs = video_inputs(SMALL)
    return keras.Model(inputs, MeanFrame()(Sample(draws, name="sample")(**inputs)))
