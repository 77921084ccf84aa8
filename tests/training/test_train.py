"""Training in real processes: killed, interrupted, out of space, on both backends."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

from tests.support.checkpoints import wait_for_step
from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.cli.process.endings import FAULT
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.order import Position
from yt8m_kit.layers.losses import label_loss
from yt8m_kit.training import checkpoints

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def command(data, runs, member, *more):
    words = ["train", "tiny", member, f"--data={data}", f"--runs={runs}", *more]
    return [sys.executable, "-m", "yt8m_kit.cli", *words]


def finish(*arguments, **settings):
    return subprocess.run(command(*arguments), capture_output=True, encoding="utf-8", **settings)


def weights(path):
    """All arrays of a weights file by name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


def assert_same(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    assert one
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def uninterrupted(tiny_data, tmp_path_factory):
    """The weights of the long member, trained without interruption."""
    runs = tmp_path_factory.mktemp("uninterrupted")
    done = finish(tiny_data.path, runs, "long", env=os.environ | {"YT8M_RECIPES": str(RECIPES)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(runs / "tiny/long/trained.weights.h5")
    return runs / "tiny/long/trained.weights.h5"


def start(data, runs, after, *more):
    """Start training the long member; return the process once a checkpoint has step >= `after`."""
    process = subprocess.Popen(command(data, runs, "long", *more), stderr=subprocess.PIPE, encoding="utf-8")
    state = runs / "tiny/long/checkpoints/state.npz"
    wait_for_step(state, after, [process], 60)
    return process


def start_and_signal(data, runs, which, after):
    """Start training the long member and send it a signal once a checkpoint has step >= `after`."""
    process = start(data, runs, after)
    process.send_signal(which)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr


def test_killed_and_resumed_training_is_bit_identical(tiny_data, tmp_path, uninterrupted):
    for after in (20, 120):
        code, _ = start_and_signal(tiny_data.path, tmp_path, signal.SIGKILL, after)
        assert code == -signal.SIGKILL
        assert not (tmp_path / "tiny/long/trained.weights.h5").exists()
    done = finish(tiny_data.path, tmp_path, "long")
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert_same(tmp_path / "tiny/long/trained.weights.h5", uninterrupted)
    rows = [json.loads(line) for line in (tmp_path / "tiny/long/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})


def test_signals_save_a_checkpoint_and_report_it(tiny_data, tmp_path, uninterrupted):
    """Wherever they come, nothing but the checkpoint of the step at hand is written; resumes are exact."""
    said = {
        signal.SIGTERM: (143, "stopped by SIGTERM"),
        signal.SIGUSR1: (138, "stopped by SIGUSR1"),
        signal.SIGINT: (130, "interrupted"),
    }
    for number, after in zip(said, (20, 80, 140)):
        code, stderr = start_and_signal(tiny_data.path, tmp_path, number, after)
        last = stderr.splitlines()[-1]
        found = re.fullmatch(r"yt8m: (.*) at step (\d+) of 400; the same command resumes there\.", last)
        assert found, stderr
        assert (code, found[1]) == said[number]
        assert last_step(tmp_path / "tiny/long/checkpoints") == int(found[2]) >= after
        assert "Traceback" not in stderr
        assert FAULT not in stderr
    assert finish(tiny_data.path, tmp_path, "long").returncode == 0
    assert_same(tmp_path / "tiny/long/trained.weights.h5", uninterrupted)


def test_full_disk_leaves_the_last_checkpoint_intact(tiny_data, tmp_path, uninterrupted):
    """After a good checkpoint, limit the file size of the process to half of a checkpoint's."""
    start_and_signal(tiny_data.path, tmp_path, signal.SIGKILL, 20)
    folder = tmp_path / "tiny/long/checkpoints"
    before = (folder / "state.npz").read_bytes()
    limited = f"""
        import resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2},) * 2)
        from yt8m_kit.cli.main import main
        sys.exit(main(sys.argv[1:]))
    """
    words = command(tiny_data.path, tmp_path, "long")[3:]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(limited), *words], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr.splitlines()[-1]
    assert "An existing version is unchanged." in done.stderr.splitlines()[-1]
    assert (folder / "state.npz").read_bytes() == before
    assert finish(tiny_data.path, tmp_path, "long").returncode == 0
    assert_same(tmp_path / "tiny/long/trained.weights.h5", uninterrupted)


def test_damaged_checkpoint_falls_back_to_the_previous_one(tiny_data, tmp_path, uninterrupted, capsys):
    start_and_signal(tiny_data.path, tmp_path, signal.SIGKILL, 40)
    folder = tmp_path / "tiny/long/checkpoints"
    content = bytearray((folder / "state.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "state.npz").write_bytes(content)
    assert finish(tiny_data.path, tmp_path, "long").returncode == 0
    assert_same(tmp_path / "tiny/long/trained.weights.h5", uninterrupted)


def last_step(folder):
    state = checkpoints.load_state(folder)
    return state and state.step


def test_missing_checkpoint_falls_back_to_the_next_newest(tmp_path):
    """Also after a kill between the two renames; without a checkpoint, training starts over."""
    for step in (10, 20):
        checkpoints.save_state(tmp_path, checkpoints.State(step, Position(0, 0, step), [], [], [], {}))
    newest = tmp_path / "state.npz"
    newest.rename(tmp_path / "state.next.npz")
    assert last_step(tmp_path) == 20
    (tmp_path / "state.next.npz").unlink()
    assert last_step(tmp_path) == 10
    (tmp_path / "state.previous.npz").unlink()
    assert last_step(tmp_path) is None


def test_all_checkpoints_damaged_is_a_one_line_error(tiny_data, tmp_path, capsys):
    folder = tmp_path / "tiny/long/checkpoints"
    words = ["train", "tiny", "long", f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    folder.mkdir(parents=True)
    (folder / "state.npz").write_bytes(b"no archive")
    assert main(words) == 2
    assert "there is no record of its sources" in capsys.readouterr().err
    (folder / "state.npz").unlink()
    folder.rmdir()
    start_and_signal(tiny_data.path, tmp_path, signal.SIGKILL, 20)
    for state in folder.glob("state*.npz"):
        state.write_bytes(b"no archive")
    assert main(words) == 1
    assert f"damaged checkpoint {folder / 'state.npz'}" in capsys.readouterr().err


def test_diverging_loss_stops_with_advice(tiny_data, tmp_path, capsys):
    assert main(["train", "tiny", "runaway", f"--data={tiny_data.path}", f"--runs={tmp_path}"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "the loss became nan before step 10 at learning rate 1e+38" in message
    assert "lower the learning rate" in message
    assert not (tmp_path / "tiny/runaway/trained.weights.h5").exists()


def test_changed_recipe_is_a_usage_error(tiny_data, tmp_path, monkeypatch, capsys):
    words = ["train", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={tmp_path / 'runs'}"]
    assert main(words) == 0
    changed = tmp_path / "recipes"
    changed.mkdir()
    text = (RECIPES / "tiny.py").read_text()
    (changed / "tiny.py").write_text(
        text.replace("steps=20, learning_rate=1e-2", "steps=20, learning_rate=3e-2")
    )
    monkeypatch.setenv("YT8M_RECIPES", str(changed))
    assert main(words) == 2
    assert "learning_rate was 0.01, is now 0.03" in capsys.readouterr().err


@pytest.fixture
def own_data(tiny_data, tmp_path):
    """A copy of the shards that a test may damage."""
    folder = tmp_path / "data"
    folder.mkdir()
    for path in tiny_data.path.glob("*.tfrecord"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def flip(shard, record):
    """Change one byte of a record in place, as a failing disk would."""
    with shard.open("r+b") as file:
        at = int(tfrecord.index(shard).offsets[record]) + 50
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def test_bad_record_is_counted_or_an_error_with_strict(own_data, tmp_path, capsys):
    shard = splits.find(own_data, "train")[0]
    flip(shard, 0)
    words = ["train", "tiny", "logistic", f"--data={own_data}"]
    assert main([*words, f"--runs={tmp_path / 'a'}", "--strict"]) == 1
    assert f"{shard}" in capsys.readouterr().err
    assert main([*words, f"--runs={tmp_path / 'b'}"]) == 0
    err = capsys.readouterr().err
    assert f"skipped 1 record in 1 shard: {shard.name} record 0" in err
    assert re.search(r"^logistic: 100%.* skipped=[12]\.\d%\]$", err, re.MULTILINE), "one of 60 in each epoch"


def test_records_damaged_in_a_later_epoch_are_skipped_and_named(own_data, tmp_path):
    """Damaged during training, in its sixth epoch or later."""
    process = start(own_data, tmp_path / "runs", 20)
    for shard in splits.find(own_data, "train"):
        flip(shard, 7)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    said = [line for line in stderr.splitlines() if "skipped" in line]
    assert said[-1].partition("skipped ")[2].startswith("2 records in 2 shards: ")
    for name in ("train0000.tfrecord", "train0001.tfrecord"):
        assert f"{name} record 7: data CRC mismatch" in said[-1]
    assert (tmp_path / "runs/tiny/long/trained.weights.h5").exists()


def test_strict_stops_at_a_truncated_shard_and_resumes_once_it_is_restored(own_data, tmp_path, uninterrupted):
    """One line names the shard; with the shard restored, the resumed run is bit-identical."""
    process = start(own_data, tmp_path, 20, "--strict")
    shard = splits.find(own_data, "train")[1]
    whole = shard.read_bytes()
    os.truncate(shard, len(whole) // 2)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    last = stderr.splitlines()[-1]
    assert last.startswith(f"yt8m: {shard} record ")
    assert "truncated" in last
    assert "Traceback" not in stderr
    assert FAULT not in stderr
    assert (tmp_path / "tiny/long/checkpoints/state.npz").exists()
    shard.write_bytes(whole)
    done = finish(own_data, tmp_path, "long", "--strict")
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    assert_same(tmp_path / "tiny/long/trained.weights.h5", uninterrupted)


STEPS = """
    import json, os, sys
    from pathlib import Path
    import numpy as np
    from yt8m_kit import models
    from yt8m_kit.data.loader import splits
    from yt8m_kit.data.loader.batches import read_batches
    from yt8m_kit.dataset import DEMO
    from yt8m_kit.layers.losses import LabelLoss
    from yt8m_kit.training.optimizer import optimizer_of
    from yt8m_kit.recipe import Member
    from yt8m_kit.training.steps import make_step

    family, hyperparameters, weights, data = json.loads(sys.argv[1])
    model = models.build(family, DEMO, **hyperparameters)
    if os.path.exists(weights):
        model.load_weights(weights)
    else:
        model.save_weights(weights)
    optimizer = optimizer_of(Member(family, steps=1, batch_size=16, decay_examples=160), 1e-3)
    optimizer.build(model.trainable_variables)
    step, sync, _ = make_step(model, optimizer, LabelLoss(1e-5))
    batches = read_batches(splits.find(Path(data), "train"), DEMO, 16, seed=0, epochs=None)
    losses = [float(step(batch)) for _, batch in zip(range(20), batches)]
    sync()
    total = sum(float(np.abs(np.asarray(variable)).sum()) for variable in model.trainable_variables)
    print(json.dumps([losses, total, "tensorflow" in sys.modules]))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("family", "hyperparameters"),
    [
        ("frame_logistic", {}),
        ("netvlad", {"clusters": 4, "hidden": 16, "draws": None}),
        ("dbof", {"clusters": 32, "hidden": 16, "draws": None}),
    ],
)
def test_backends_agree_over_twenty_steps(tiny_data, tmp_path, family, hyperparameters):
    """Losses agree to a relative 1e-4 without frame sampling, whose random draws differ by backend."""
    case = json.dumps([family, hyperparameters, str(tmp_path / "first.weights.h5"), str(tiny_data.path)])
    found = {}
    for backend in ("tensorflow", "jax"):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(STEPS), case],
            capture_output=True, encoding="utf-8", env=os.environ | {"KERAS_BACKEND": backend},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[backend] = json.loads(done.stdout.splitlines()[-1])
    assert found["jax"][2] is False, "the JAX backend must not need TensorFlow"
    np.testing.assert_allclose(found["jax"][0], found["tensorflow"][0], rtol=1e-4)
    assert found["tensorflow"][0][-1] < found["tensorflow"][0][0]
    assert found["jax"][1] == pytest.approx(found["tensorflow"][1], rel=1e-4)


def test_jax_trains_without_tensorflow_weights_that_tensorflow_evaluates(tiny_data, tmp_path, capsys):
    guard = tmp_path / "guard" / "tensorflow"
    guard.mkdir(parents=True)
    (guard / "__init__.py").write_text("raise SystemExit('TensorFlow was imported')")
    paths = ":".join([str(guard.parent), *sys.path])
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": paths}
    done = finish(tiny_data.path, tmp_path, "netvlad", env=environment)
    assert done.returncode == 0, done.stderr
    places = [f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    assert main(["average", "tiny", "netvlad", *places]) == 0
    assert main(["evaluate", "tiny", "netvlad", *places]) == 0
    assert json.loads((tmp_path / "tiny/netvlad/validate.weights.json").read_text())["gap"] > 0


def test_label_loss_is_the_sum_over_classes():
    rng = np.random.default_rng(0)
    p, y = rng.random((5, 30), dtype=np.float32), (rng.random((5, 30)) < 0.1).astype(np.float32)
    expected = -np.mean(np.sum(y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5), axis=1))
    assert float(label_loss(y, p, 1e-5)) == pytest.approx(expected, rel=1e-5)
