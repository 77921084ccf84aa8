"""yt8m sample: draws of the model's own layer, their distribution, the table, the shards, refusals."""

import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.support.families import ROWS, TOY
from tests.support.small_shards import HEADER, damage, flip_payload
from yt8m_kit import backend, models
from yt8m_kit.cli.main import main
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.inference.drawn_frames import drawer, expected_share, sampling_layer
from yt8m_kit.inference.member_model import model_of
from yt8m_kit.inference.sample import compact
from yt8m_kit.layers.inputs.sampling import Sample, Segments
from yt8m_kit.recipe import load

pytestmark = pytest.mark.usefixtures("tiny_recipes")

DRAWS = 8  # of the tiny recipe's NetVLAD


def member_draws(draws=DRAWS):
    """The draws of the tiny NetVLAD's own layer."""
    recipe = load("tiny")
    member = recipe.member("netvlad")
    member = replace(member, hyperparameters={**member.hyperparameters, "draws": draws})
    layer = sampling_layer(model_of(member, recipe.dataset))
    assert layer is not None
    return drawer(layer, recipe.dataset.max_frames)


def training_rows(count, calls=20, videos=128):
    draw = member_draws()
    return np.concatenate([draw(np.full(videos, count, np.int32), True) for _ in range(calls)])


def chi_square_quantile(freedom, z):
    """Wilson and Hilferty (1931): the quantile of chi-square at that of a standard normal."""
    return freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3


@pytest.mark.parametrize("count", [2, 10, 32])
def test_training_draws_are_uniform(count):
    rows = training_rows(count)
    observed = np.bincount(rows.ravel(), minlength=count)
    assert len(observed) == count
    expected = rows.size / count
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert statistic < chi_square_quantile(count - 1, 4.75)  # P = 1e-6


def occupancy(count, draws):
    """P(d distinct frames) for d = 0..draws: each draw is new with probability (count - d) / count."""
    probabilities = np.eye(draws + 1)[0]
    known = np.minimum(np.arange(draws + 1) / count, 1)
    for _ in range(draws):
        probabilities = probabilities * known + np.roll(probabilities * (1 - known), 1)
    return probabilities


@pytest.mark.parametrize("count", [2, 10, 32])
def test_training_draws_are_independent_as_with_replacement(count):
    """The number of distinct frames of a video has the distribution of the occupancy problem."""
    rows = training_rows(count)
    observed = np.bincount([len(np.unique(row)) for row in rows], minlength=DRAWS + 1)
    expected = len(rows) * occupancy(count, DRAWS)
    mean = (np.arange(DRAWS + 1) * expected).sum() / len(rows)
    assert mean == pytest.approx(count * expected_share(Sample(DRAWS), count, True))
    assert not observed[expected == 0].any()
    cells = expected >= 5
    rare = expected[~cells].sum()
    statistic = ((observed - expected)[cells] ** 2 / expected[cells]).sum()
    assert statistic < chi_square_quantile(max(1, cells.sum() - (rare == 0)), 4.75)
    assert observed[~cells].sum() <= rare + 5 * math.sqrt(rare) + 1


def test_prediction_covers_every_frame_once_before_any_repeats():
    counts = np.arange(1, 33, dtype=np.int32)
    for row, count in zip(member_draws(40)(counts, False), counts.tolist()):
        assert row[:count].tolist() == list(range(count))
        assert row.max() < count


def test_the_draws_shown_are_those_of_the_model_under_training():
    """A compiled call of the model, as a training step makes it, takes the same frames of real bytes."""
    import keras
    import tensorflow as tf

    recipe, counts = load("tiny"), np.array([5, 17, 32], np.int32)
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, recipe.dataset.width), np.uint8)
    model = model_of(recipe.member("netvlad"), recipe.dataset)
    taken = keras.Model(model.inputs, model.get_layer("sample").output[0])  # the codes
    step = tf.function(lambda training: taken({"frames": frames, "num_frames": counts}, training=training))
    draw = member_draws()
    for training in (True, True, False):
        numbers = draw(counts, training)
        expected = np.take_along_axis(frames, numbers[..., None].astype(int), axis=1)
        assert np.array_equal(step(training).numpy(), expected)


def simulated_share(count, edges, training_rng, trials=4000):
    """Mean and standard error of the share of distinct frames, one uniform draw in each interval."""
    low, high = np.array(edges[:-1]), np.array(edges[1:])
    drawn = np.floor(low + training_rng.random((trials, len(low))) * (high - low)).astype(int)
    shares = np.array([len(np.unique(row)) / count for row in drawn])
    return shares.mean(), shares.std() / math.sqrt(trials)


@pytest.mark.parametrize(("count", "segments"), [(7, 3), (3, 7), (10, 9), (40, 32), (5, 5), (1, 4)])
def test_expected_share_of_segments_is_what_a_simulation_gives(count, segments):
    edges = [i * count / segments for i in range(segments + 1)]
    mean, error = simulated_share(count, edges, np.random.default_rng(count))
    share = expected_share(Segments(segments, 1), count, True)
    assert share == pytest.approx(mean, abs=5 * error + 1e-9)
    if count > segments:
        assert expected_share(Sample(segments), count, False) == share


def test_expected_share_by_formula():
    assert expected_share(Sample(300), 200, True) == pytest.approx(1 - (199 / 200) ** 300)
    assert expected_share(Sample(300), 200, False) == 1.0
    # Two draws of two frames: both the same in half of the cases.
    assert expected_share(Sample(2), 2, True) == 0.75


@pytest.mark.parametrize("count", [1, 3, 24, 25, 26, 300])
def test_segments_see_their_middles_at_prediction(count):
    layer = Segments(3, 25)
    [row] = drawer(layer, 300)(np.array([count], np.int32), False)
    for i, number in enumerate(row.tolist()):
        middle = (2 * i + 1) * count / 50
        # A middle between two frames may be rounded into either.
        assert number == int(middle) or number + 1 == middle
    assert len(np.unique(row)) / count == expected_share(layer, count, False)


def test_frame_numbers_beyond_a_byte():
    assert member_free_draw(Sample(70000), 70000)[-1] == 69999


def member_free_draw(layer, count):
    return drawer(layer, count)(np.array([count], np.int32), False)[0]


@pytest.mark.parametrize("row", ["gru", "nextvlad", "video_level", "frame_logistic"])
def test_families_that_see_all_frames_have_no_sampling_layer(row):
    family, hyperparameters = ROWS[row]
    assert sampling_layer(models.build(family, TOY, **hyperparameters)) is None
    assert models.description(family)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([4], "4"), ([2, 0, 1], "0-2"), ([5, 5, 5, 7], "5x3 7"), ([1, 2, 2, 3, 3, 4, 9], "1 2-3x2 4 9")],
)
def test_compact_frame_numbers(numbers, text):
    assert compact(np.array(numbers, np.uint32)) == text


def expanded(text):
    """Frame numbers, ascending, of a text in compact form."""
    numbers = []
    for first, last, times in re.findall(r"(\d+)(?:-(\d+))?(?:x(\d+))?", text):
        numbers += [n for n in range(int(first), int(last or first) + 1) for _ in range(int(times or 1))]
    return sorted(numbers)


def parsed_table(text):
    """Columns and frame numbers by video and pass."""
    _, _, _, *lines = text.splitlines()
    found = {}
    for line, numbers in zip(lines[::2], lines[1::2]):
        video, frames, *title, draws, distinct, share, expected = line.split()
        columns = (int(frames), int(draws), int(distinct), float(share), float(expected))
        found[video, " ".join(title)] = (*columns, expanded(numbers))
    return found


def lengths(data, split="train"):
    dataset = load("tiny").dataset
    batches = read_batches(splits.find(data, split), dataset, 16)
    return {video: int(n) for batch in batches for video, n in zip(batch.ids, batch.num_frames)}


def test_the_table_counts_what_it_lists(tiny_data, capsys):
    known = [video for video, n in lengths(tiny_data.path).items() if n < 32][:2]
    words = ["sample", "tiny", "netvlad", f"--data={tiny_data.path}", f"--videos={','.join(known)}"]
    assert main([*words, "--epochs=2"]) == 0
    out, err = capsys.readouterr()
    assert "draws 8 frames with replacement in training and sees 8 at prediction; seed 0" in out
    assert not err
    table = parsed_table(out)
    assert list(table) == [(v, title) for v in known for title in ("epoch 1", "epoch 2", "prediction")]
    for (video, title), (frames, draws, distinct, share, expected, numbers) in table.items():
        assert frames == lengths(tiny_data.path)[video]
        assert len(numbers) == draws == DRAWS
        assert len(set(numbers)) == distinct
        assert share == round(distinct / frames, 4)
        if title != "prediction":
            assert expected == round(1 - (1 - 1 / frames) ** DRAWS, 4)
    assert table[known[0], "epoch 1"] != table[known[0], "epoch 2"]
    assert main(words) == 0
    again = parsed_table(capsys.readouterr().out)
    assert all(table[key] == row for key, row in again.items())
    assert main([*words, "--seed=1"]) == 0
    assert parsed_table(capsys.readouterr().out) != again


def test_a_long_video_says_how_many_of_its_frames_are_used(tiny_data, capsys):
    assert main(["sample", "tiny", "netvlad", f"--data={tiny_data.path}", "--count=60"]) == 0
    used = re.findall(r"(\d+) of (\d+) ", capsys.readouterr().out)
    assert used
    assert all(first == "32" and int(second) > 32 for first, second in used)


def test_jax_draws_others_in_training_and_the_same_at_prediction(tiny_data, capsys):
    words = ["sample", "tiny", "netvlad", f"--data={tiny_data.path}"]
    videos = ",".join([video for video, n in lengths(tiny_data.path).items() if n < 32][:4])
    assert main([*words, f"--videos={videos}"]) == 0
    ours = parsed_table(capsys.readouterr().out)
    command = [sys.executable, "-m", "yt8m_kit.cli", *words, f"--videos={videos}"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=True)
    assert "backend jax" in done.stdout
    theirs = parsed_table(done.stdout)
    assert theirs.keys() == ours.keys()
    for key, row in theirs.items():
        assert (row == ours[key]) == (key[1] == "prediction")


def test_a_member_that_does_not_sample_says_what_it_sees(tiny_data, tmp_path, capsys):
    words = ["sample", "tiny", "logistic", f"--data={tiny_data.path}"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "logistic (frame_logistic) does not sample" in out
    assert "first 32 frames of a video once. Mean of L2-normalized frames" in out
    assert main([*words, f"--out={tmp_path / 'out'}"]) == 2
    assert "There is nothing to resample." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def by_tensorflow(paths):
    """Id, labels and features uint8 (n, width) of every record, by TensorFlow's own reader and parser."""
    import tensorflow as tf

    context = {"id": tf.io.FixedLenFeature([], tf.string), "labels": tf.io.VarLenFeature(tf.int64)}
    lists = {name: tf.io.FixedLenSequenceFeature([], tf.string) for name in ("rgb", "audio")}
    for record in tf.data.TFRecordDataset([str(path) for path in paths]):
        about, features = tf.io.parse_single_sequence_example(record, context, lists)
        frames = {name: tf.io.decode_raw(each, tf.uint8).numpy() for name, each in features.items()}
        yield about["id"].numpy().decode(), about["labels"].values.numpy().tolist(), frames


def test_shards_hold_the_frames_that_the_table_lists(tiny_data, tmp_path, capsys):
    words = ["sample", "tiny", "netvlad", f"--data={tiny_data.path}", "--epochs=2"]
    chosen = [video for video, n in lengths(tiny_data.path).items() if n < 32][:5]
    words.append(f"--videos={','.join(chosen)}")
    assert main(words) == 0
    table = parsed_table(capsys.readouterr().out)
    assert main([*words, f"--out={tmp_path}"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'train'}\n"
    source = {video: rest for video, *rest in by_tensorflow(splits.find(tiny_data.path, "train"))}
    written = list(by_tensorflow(splits.find(tmp_path, "train")))
    assert [video for video, _, _ in written] == chosen * 2
    for number, (video, labels, features) in enumerate(written):
        assert labels == source[video][0]
        epoch = f"epoch {1 + number // len(chosen)}"
        for name, frames in features.items():
            rows = np.array(source[video][1][name])[table[video, epoch][-1]]
            assert sorted(map(bytes, frames)) == sorted(map(bytes, rows))


def test_shards_of_a_whole_split_are_read_by_the_kit(tiny_data, tmp_path):
    assert main(["sample", "tiny", "netvlad", f"--data={tiny_data.path}", f"--out={tmp_path}"]) == 0
    assert list(lengths(tmp_path)) == list(lengths(tiny_data.path))
    assert set(lengths(tmp_path).values()) == {DRAWS}
    assert main(["train", "tiny", "logistic", f"--data={tmp_path}", f"--runs={tmp_path / 'runs'}"]) == 0


def test_records_without_labels_stay_without(tiny_data, tmp_path):
    words = [f"--data={tiny_data.path}", f"--out={tmp_path}", "--split=test", "--count=3"]
    assert main(["sample", "tiny", "netvlad", *words]) == 0
    assert [labels for _, labels, _ in by_tensorflow(splits.find(tmp_path, "test"))] == [[], [], []]


def test_the_same_sources_are_up_to_date_and_others_are_refused(tiny_data, tmp_path, monkeypatch, capsys):
    words = ["sample", "tiny", "netvlad", f"--data={tiny_data.path}", f"--out={tmp_path}", "--count=4"]
    shard = tmp_path / "train/train0000.tfrecord"
    assert main(words) == 0
    before, stamp = shard.read_bytes(), shard.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setattr(backend, "start", lambda *_: pytest.fail("Keras is not needed for this"))
        assert main(words) == 0
        assert "up to date" in capsys.readouterr().err
        for more, reason in (
            ("--seed=1", "hyperparameters.seed was not set, is now 1"),
            ("--epochs=2", "selection.epochs was 1, is now 2"),
        ):
            assert main([*words, more]) == 2
            assert f"is stale: {reason}. Choose another folder, or add --anew" in capsys.readouterr().err
        assert shard.stat().st_mtime_ns == stamp
        shard.write_bytes(before[:-1] + b"x")
        assert main(words) == 1
        assert "is damaged: train0000.tfrecord is not as it was made" in capsys.readouterr().err
        shard.write_bytes(before)
    assert main([*words, "--seed=1", "--anew"]) == 0
    assert shard.read_bytes() != before
    [aside] = (tmp_path / "old").glob("*/train/train0000.tfrecord")
    assert aside.read_bytes() == before
    assert main([*words, "--anew"]) == 0
    assert shard.read_bytes() == before


def test_bad_records_are_skipped_by_count_and_an_error_by_id(tmp_path, capsys):
    from yt8m_kit.data.synthesize import synthesize

    data = tmp_path / "data"
    synthesize(data, train=4, validate=1, test=1, shards=1)
    first, second, *_ = lengths(data)
    flip_payload(data / "train0000.tfrecord", 0)
    words = ["sample", "tiny", "netvlad", f"--data={data}", f"--out={tmp_path / 'out'}"]
    capsys.readouterr()
    assert main([*words, f"--videos={second},{first}"]) == 1
    assert "train0000.tfrecord record 0: data CRC mismatch" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    assert main([*words, "--count=2"]) == 0
    assert "skipped 1 record in 1 shard" in capsys.readouterr().err
    assert list(lengths(tmp_path / "out")) == list(lengths(data))[:2]


def test_a_fault_that_may_hide_a_video_is_named(tmp_path, capsys):
    from yt8m_kit.data.synthesize import synthesize

    synthesize(tmp_path, train=4, validate=1, test=1, shards=1)
    *_, last = lengths(tmp_path)
    shard = tmp_path / "train0000.tfrecord"
    damage(shard, int(tfrecord.index(shard).offsets[2]) - HEADER)
    assert main(["sample", "tiny", "netvlad", f"--data={tmp_path}", f"--videos={last}"]) == 2
    assert f"no video {last!r}" in (err := capsys.readouterr().err)
    assert "skipped 1 record in 1 shard: train0000.tfrecord record 2: " in err


SLOW = """
import sys, time
from yt8m_kit.inference import resampled_shards
serialize = resampled_shards.sequence_example
def slow(*arguments, **options):
    time.sleep(0.1)
    return serialize(*arguments, **options)
resampled_shards.sequence_example = slow
from yt8m_kit.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_killed_while_writing_leaves_no_shards_and_the_next_attempt_the_same_ones(tiny_data, tmp_path):
    words = ["sample", "tiny", "netvlad", f"--data={tiny_data.path}"]
    assert main([*words, f"--out={tmp_path / 'whole'}"]) == 0
    words.append(f"--out={tmp_path / 'out'}")
    process = subprocess.Popen([sys.executable, "-c", SLOW, *words], stderr=subprocess.DEVNULL)
    partial = tmp_path / "out/.train.partial/.train0000.tfrecord.partial"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (partial.exists() and partial.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "out/train").exists()
    assert main(words) == 0
    whole, again = (tmp_path / name / "train/train0000.tfrecord" for name in ("whole", "out"))
    assert again.read_bytes() == whole.read_bytes()
    assert not partial.parent.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nope"], "no member 'nope' in recipe tiny; members: logistic, netvlad"),
        (["netvlad", "--videos=AAAA,zz"], "no video 'zz' in 2 shards of {data}; there is, e.g., "),
        (["netvlad", "--videos=AAAA,,AAAB"], "--videos must be ids separated by commas; got 'AAAA,,AAAB'"),
        (["netvlad", "--videos=AAAA", "--count=2"], "--videos and --count exclude each other"),
        (["netvlad", "--count=0"], "--count must be at least 1; got 0"),
        (["netvlad", "--epochs=0"], "--epochs must be at least 1; got 0"),
        (["netvlad", "--seed=-1"], "--seed must be at least 0; got -1"),
        (["netvlad", "--split=tset"], "--split must be one of train, validate, test; got 'tset'"),
        (["netvlad", "--out={data}"], "{data} holds other train shards, in {data}: choose another folder"),
        (["netvlad", "--out={tmp}", "--anew"], "was not written by yt8m sample: choose another folder"),
        (["netvlad", "--out={tmp}/new", "--split=test", "--epochs=2"], "--epochs must be 1 with --out"),
    ],
)
def test_misuse_is_named_before_keras_starts(words, message, tiny_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(backend, "start", lambda *_: pytest.fail("Keras was started"))
    (tmp_path / "train").mkdir()
    places = {"data": tiny_data.path, "tmp": tmp_path}
    assert main(["sample", "tiny", f"--data={tiny_data.path}", *(w.format(**places) for w in words)]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("yt8m: ")
    assert message.format(**places) in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
