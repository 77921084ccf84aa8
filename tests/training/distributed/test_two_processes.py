"""Trainings by two processes over the loopback: as by one, killed, stopped, refused."""

import json
import shutil
import signal
import time

import h5py
import numpy as np
import pytest

from tests.support import two_processes
from tests.support.checkpoints import wait_for_step
from yt8m_kit.cli.main import main

pytestmark = pytest.mark.long
LOST_SECONDS = 60  # in which a process must end after another one was killed: heartbeats take 30


def words(member, data, runs, *more, devices="2"):
    return ["-m", "yt8m_kit.cli", *command(member, data, runs, *more), f"--devices={devices}"]


def command(member, data, runs, *more):
    return ["train", "tiny", member, f"--data={data}", f"--runs={runs}", *more]


def weights(runs, member):
    found = {}
    with h5py.File(runs / f"tiny/{member}/trained.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None)
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert one
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def in_one(member, data, runs, *more):
    done = two_processes.one_process(words(member, data, runs, *more))
    assert done.returncode == 0, done.stderr
    return weights(runs, member)


def in_two(member, data, runs, *more):
    return two_processes.finish(two_processes.start(*[words(member, data, runs, *more, devices="all")] * 2))


def started(member, data, runs, after):
    """Two processes at work, once a checkpoint has step >= after."""
    processes = two_processes.start(*[words(member, data, runs)] * 2)
    state = runs / f"tiny/{member}/checkpoints/state.npz"
    wait_for_step(state, after, processes, two_processes.SECONDS)
    return processes


@pytest.fixture(scope="module")
def paired_weights(tiny_data, tmp_path_factory):
    """The weights of a member of one process on two devices without interruption."""
    return in_one("paired", tiny_data.path, tmp_path_factory.mktemp("one"))


def test_validation_early_stop_and_best_weights_are_those_of_one_process(tiny_data, tmp_path):
    expected = in_one("validated", tiny_data.path, tmp_path / "one")
    done = in_two("validated", tiny_data.path, tmp_path / "two")
    assert [code for code, *_ in done] == [0, 0], done
    assert_same(weights(tmp_path / "two", "validated"), expected)
    logs = [
        [
            (row["step"], row["validation_gap"])
            for row in map(
                json.loads, (tmp_path / runs / "tiny/validated/metrics.jsonl").read_text().splitlines()
            )
            if "validation_gap" in row
        ]
        for runs in ("one", "two")
    ]
    assert logs[0] == logs[1] != []
    # Process 0 alone names the product.
    assert [out for _, out, _ in done] == [f"{tmp_path}/two/tiny/validated/trained.weights.h5\n", ""]


def test_a_signal_to_any_process_stops_all_after_the_same_step(tiny_data, tmp_path, paired_weights):
    """SIGTERM; the other signals take the same way (tests/training/test_stopped.py)."""
    processes = started("paired", tiny_data.path, tmp_path, after=20)
    processes[1].send_signal(signal.SIGTERM)
    stopped = two_processes.finish(processes)
    assert [code for code, *_ in stopped] == [128 + signal.SIGTERM] * 2, stopped
    lines = [said.splitlines()[-1] for _, _, said in stopped]
    assert lines[0] == lines[1]
    assert "of 120; the same command resumes there" in lines[0]
    assert [code for code, *_ in in_two("paired", tiny_data.path, tmp_path)] == [0, 0]
    assert_same(weights(tmp_path, "paired"), paired_weights)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_others_and_all_resume(rank, tiny_data, tmp_path, paired_weights):
    processes = started("paired", tiny_data.path, tmp_path, after=20)
    processes[rank].kill()
    killed = time.monotonic()
    codes = [code for code, *_ in two_processes.finish(processes)]
    assert time.monotonic() - killed < LOST_SECONDS
    assert codes[rank] == -signal.SIGKILL
    assert codes[1 - rank] != 0
    assert [code for code, *_ in in_two("paired", tiny_data.path, tmp_path)] == [0, 0]
    assert_same(weights(tmp_path, "paired"), paired_weights)


def test_mixup_soft_labels_and_accumulation_are_those_of_one_process_even_if_killed(
    tiny_data, tmp_path, tiny_recipes
):
    for verb in ("train", "average", "export", "distill"):
        assert main([verb, "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={tmp_path}/one"]) == 0
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    expected = in_one("varied", tiny_data.path, tmp_path / "one")
    processes = started("varied", tiny_data.path, tmp_path / "two", after=20)
    processes[1].kill()
    two_processes.finish(processes)
    done = in_two("varied", tiny_data.path, tmp_path / "two")
    assert [code for code, *_ in done] == [0, 0], done
    assert_same(weights(tmp_path / "two", "varied"), expected)


@pytest.mark.parametrize(("rank", "waited"), [(0, "waited at"), (1, "waited for process 0 at")])
def test_a_process_whose_others_do_not_start_ends_with_a_sentence(rank, waited, tiny_data, tmp_path):
    code, last = alone(tiny_data.path, tmp_path, rank, seconds=5)
    assert code == 1
    assert f"the other processes did not start within 5 s; process {rank} of 2 {waited} 127.0.0.1:" in last


@pytest.mark.parametrize("rank", [0, 1])
def test_ctrl_c_ends_a_process_that_waits_for_the_others(rank, tiny_data, tmp_path):
    code, last = alone(tiny_data.path, tmp_path, rank, seconds=two_processes.SECONDS, stop_after=5)
    assert (code, last) == (130, "yt8m: interrupted; the same command resumes.")


def alone(data, runs, rank, seconds, stop_after=None):
    """Exit code and last line of one process of two, which waits some seconds for the other.

    stop_after: seconds from the start of JAX to a Ctrl-C. Nothing is written.
    """
    lines = [
        "import sys; from yt8m_kit.training.distributed import processes",
        f"processes.JOIN_SECONDS = {seconds}",
        "from yt8m_kit.cli.__main__ import start; sys.exit(start())",
    ]
    arguments = ["-c", "; ".join(lines), *command("paired", data, runs), "--devices=all"]
    (process,) = two_processes.start(arguments, first=rank)
    if stop_after:
        two_processes.wait_for_line(process, "starting JAX")
        time.sleep(stop_after)
        process.send_signal(signal.SIGINT)
    ((ended, _, said),) = two_processes.finish([process])
    assert not (runs / "tiny").exists()
    return ended, said.splitlines()[-1]


def test_another_number_of_devices_does_not_resume(tiny_data, tmp_path, monkeypatch):
    processes = started("paired", tiny_data.path, tmp_path, after=20)
    processes[0].send_signal(signal.SIGTERM)
    two_processes.finish(processes)
    state = (tmp_path / "tiny/paired/checkpoints/state.npz").read_bytes()
    done = two_processes.one_process(["-m", "yt8m_kit.cli", *command("paired", tiny_data.path, tmp_path)])
    assert done.returncode == 2
    assert "trained on 2 devices, not 1, and resumes on the same number only" in done.stderr
    assert (tmp_path / "tiny/paired/checkpoints/state.npz").read_bytes() == state


def test_processes_with_other_settings_are_refused(tiny_data, tmp_path):
    """Of a trial of other lengths: nothing is written for either."""
    both = [words("paired", tiny_data.path, tmp_path, f"--steps={steps}") for steps in (10, 11)]
    for code, _, said in two_processes.finish(two_processes.start(*both)):
        assert code == 2, said
        assert "has another recipe or other records than process" in said
        assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.npz"))


def test_a_process_that_fails_at_the_start_ends_the_others(tiny_data, tmp_path):
    """The first process finds a product of other records; the second one says so."""
    shutil.copytree(tiny_data.path, tmp_path / "fewer")
    max(tmp_path.glob("fewer/**/train*.tfrecord")).unlink()
    in_one("logistic", tmp_path / "fewer", tmp_path)
    done = in_two("logistic", tiny_data.path, tmp_path)
    assert [code for code, *_ in done] == [2, 1], done
    assert "trained.weights.h5 is stale" in done[0][2]
    assert "process 0 of 2 failed: " in done[1][2]


def test_a_finished_product_is_up_to_date_for_any_number(tiny_data, tmp_path):
    in_one("logistic", tiny_data.path, tmp_path)
    done = two_processes.one_process(["-m", "yt8m_kit.cli", *command("logistic", tiny_data.path, tmp_path)])
    assert done.returncode == 0
    assert "up to date" in done.stderr
    assert [code for code, *_ in in_two("logistic", tiny_data.path, tmp_path)] == [0, 0]


def test_too_many_devices(tiny_data, tmp_path):
    done = two_processes.one_process(words("paired", tiny_data.path, tmp_path, devices="16"))
    assert done.returncode == 2
    assert "--devices=16 is more than there are: 2 cpu; take --devices=all, or fewer" in done.stderr
    assert not (tmp_path / "tiny").exists()
