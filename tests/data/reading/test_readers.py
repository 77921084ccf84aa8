"""Reader processes: the same batches as without them, clean shutdown, and errors when one dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.small_shards import ALL, HEADER, SMALL, copies, damage, five_shards, flip_payload, ids
from yt8m_kit.cli.main import main
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.data.reading.soft_labels import SoftLabels
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.recipe import load


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


def children():
    """Running child processes."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(child) for path in found for child in path.read_text().split()}


@pytest.mark.parametrize("readers", [2, 5])
@pytest.mark.parametrize("arguments", [{}, {"seed": 3, "mix": 2, "epochs": 3}, {"worker": (1, 2), "seed": 1}])
def test_batches_are_the_same_for_any_number_of_readers(shards, readers, arguments):
    flip_payload(shards[0], 3)
    flip_payload(shards[4], 11)
    damage(shards[3], int(tfrecord.index(shards[3]).offsets[6]) - HEADER)
    faults, expected_faults = Faults(), Faults()
    expected = copies(read_batches(shards, SMALL, 4, readers=1, faults=expected_faults, **arguments))
    found = copies(read_batches(shards, SMALL, 4, readers=readers, faults=faults, reuse=1, **arguments))
    assert found == expected
    assert list(faults) == list(expected_faults)
    assert len(faults) > 0


def test_a_teachers_labels_are_mixed_in(shards, tmp_path):
    rng = np.random.default_rng(0)
    for shard, numbers in zip(shards, np.split(np.array(ALL), [20, 21, 30, 41])):
        shape = (len(numbers), 3)
        known = slice(1, None) if shard == shards[2] else slice(None)  # no labels for one video
        labels, scores = rng.integers(0, 10, shape), rng.random(shape)
        side = soft_labels.side_file(tmp_path, shard)
        soft_labels.write(side, list(numbers[known]), labels[known], scores[known])
    teacher = SoftLabels(tmp_path, 0.5)
    faults = Faults()
    found = copies(read_batches(shards, SMALL, 6, readers=2, reuse=1, soft_labels=teacher, faults=faults))
    assert found == copies(read_batches(shards, SMALL, 6, readers=1, soft_labels=teacher))
    assert faults.summary().endswith("record 0: the teacher has no soft labels for video 'v021'")


def test_a_batch_is_valid_while_k_more_are_drawn(shards):
    drawn, kept = [], []
    for batch in read_batches(shards, SMALL, 4, seed=0, readers=2, reuse=2):
        drawn.append(batch)
        kept.append(batch.frames.copy())
        time.sleep(0.01)  # the processes have read ahead by now
        for earlier, copy in list(zip(drawn, kept))[-3:]:
            np.testing.assert_array_equal(earlier.frames, copy)
    assert all(batch.frames.ctypes.data % 64 == 0 for batch in drawn)


def test_strict_reading_names_the_record(shards):
    flip_payload(shards[1], 0)
    with pytest.raises(DataError, match=r"train0001.tfrecord record 0: data CRC mismatch"):
        list(read_batches(shards, SMALL, 4, strict=True, readers=2))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists children")
def test_closing_ends_the_processes_and_closes_the_files(shards):
    running, files = children(), len(os.listdir("/dev/fd"))
    drawing = read_batches(shards, SMALL, 4, epochs=None, readers=3, reuse=1)
    next(drawing)
    assert len(children() - running) == 3
    assert isinstance(drawing, Generator)
    drawing.close()
    assert children() == running
    assert len(os.listdir("/dev/fd")) <= files


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists children")
def test_a_process_that_was_killed_is_an_error(shards):
    running = children()
    drawing = read_batches(shards, SMALL, 4, epochs=None, readers=2, reuse=1)
    next(drawing)
    os.kill(min(children() - running), signal.SIGKILL)
    with pytest.raises(KitError, match="a reader process ended with status -9"):
        list(drawing)
    assert children() == running


KILLED = """
import sys, time
from pathlib import Path
from tests.support.small_shards import SMALL
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.splits import find
drawing = read_batches(find(Path(sys.argv[1]), "train"), SMALL, 4, epochs=None, readers=2, reuse=1)
next(drawing)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux lists children")
def test_readers_end_when_their_parent_is_killed(shards):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", KILLED, str(shards[0].parent)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        found = Path(f"/proc/{process.pid}/task").glob("*/children")
        readers = [int(child) for path in found for child in path.read_text().split()]
        assert len(readers) == 2
        process.kill()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{reader}").exists() for reader in readers) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{reader}").exists() for reader in readers)


def test_the_environment_says_how_many(shards, monkeypatch):
    monkeypatch.setenv("YT8M_READERS", "2")
    drawing = read_batches(shards, SMALL, 4)
    next(drawing)
    if Path("/proc/self/task").exists():
        assert len(children()) >= 2
    assert sorted(ids(drawing)) == ALL[4:]


@pytest.mark.parametrize("asked", ["0", "-1", "many", "1.5", ""])
def test_an_invalid_number_of_readers_is_refused(shards, monkeypatch, asked):
    monkeypatch.setenv("YT8M_READERS", asked)
    with pytest.raises(UsageError, match=f"YT8M_READERS must be a number above 0; got '{asked}'"):
        read_batches(shards, SMALL, 4)


def test_training_is_the_same_for_any_number_of_readers(tiny_recipes, tiny_data, tmp_path, monkeypatch):
    found = []
    for readers in ("1", "2"):
        monkeypatch.setenv("YT8M_READERS", readers)
        runs = tmp_path / readers
        assert main(["train", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={runs}"]) == 0
        model = model_of(load("tiny").member("logistic"), tiny_data.dataset)
        load_weights(model, runs / "tiny" / "logistic" / "trained.weights.h5")
        found.append([keras.ops.convert_to_numpy(variable) for variable in model.variables])
    for alone, together in zip(*found):
        np.testing.assert_array_equal(alone, together)
