"""`yt8m train` of several members: weights of training alone, whatever ends some or all of them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.two_processes import SECONDS, environment
from yt8m_kit.output.provenance import read_record

pytestmark = pytest.mark.long
LINGERING = 60  # seconds in which a member's process must end after the reading one was killed
WALL = ("videos_per_second", "crc")  # of a row of the log, by the clock


def words(members, data, runs, *more):
    given = ["train", "together", *members, f"--data={data}", f"--runs={runs}", *more]
    return [sys.executable, "-m", "yt8m_kit.cli", *given]


def together(members, data, runs, *more, **variables):
    return subprocess.run(
        words(members, data, runs, *more),
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
    )


@pytest.fixture(scope="session")
def alone(tiny_data, tmp_path_factory):
    """The folder of a member that was trained alone, once for all tests."""
    runs, done = tmp_path_factory.mktemp("alone"), set()

    def path(member, backend="jax"):
        if (member, backend) not in done:
            found = together([member], tiny_data.path, runs / backend, KERAS_BACKEND=backend)
            assert found.returncode == 0, found.stderr
            done.add((member, backend))
        return runs / backend / "together" / member

    return path


def rows(folder):
    """The log of a training, without what depends on the clock."""
    found = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in row.items() if key not in WALL} for row in found]


def sources(folder):
    record = read_record(folder / "provenance/trained.weights.h5.json")
    assert record
    return record.sources


def assert_as_alone(runs, members, alone, backend="jax"):
    for member in members:
        own, expected = runs / "together" / member, alone(member, backend)
        assert (own / "trained.weights.h5").read_bytes() == (expected / "trained.weights.h5").read_bytes(), (
            member
        )
        assert sources(own) == sources(expected)
        assert sorted(at.name for at in own.iterdir()) == sorted(at.name for at in expected.iterdir())


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_weights_and_logs_are_those_of_training_alone(backend, tiny_data, tmp_path, alone):
    """Batches of 16 and 32, an accumulated one, mixup, validation with patience, kept checkpoints."""
    members = ["plain", "double", "mixed", "validated"]
    done = together(members, tiny_data.path, tmp_path, KERAS_BACKEND=backend)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{tmp_path}/together/{member}/trained.weights.h5" for member in members
    ]
    assert done.stderr.count("train, 2 shards in") == 1, "a sample of the split is checked once for all"
    assert_as_alone(tmp_path, members, alone, backend)
    for member in members:
        assert rows(tmp_path / "together" / member) == rows(alone(member, backend))
        checkpoints = [
            sorted(path.name for path in (folder / "checkpoints").iterdir())
            for folder in (tmp_path / "together" / member, alone(member, backend))
        ]
        assert checkpoints[0] == checkpoints[1]
    # One by one each of them finds that it is done.
    again = together(["mixed"], tiny_data.path, tmp_path, KERAS_BACKEND=backend)
    assert again.returncode == 0
    assert "up to date" in again.stderr
    assert "read_with plain, double, validated" in again.stderr


def test_the_shards_are_read_once(tiny_data, tmp_path):
    """The bytes of one member that takes 40 batches of 32, although two others take 40 of 16 each."""
    size = sum(path.stat().st_size for path in tiny_data.path.rglob("train*.tfrecord"))
    done = together(["plain", "long", "longer"], tiny_data.path, tmp_path, "--steps=40")
    assert done.returncode == 0, done.stderr
    found = re.search(r"read ([\d.]+)(k|M)B once for 3 members", done.stderr)
    assert found, done.stderr
    read = float(found[1]) * {"k": 1e3, "M": 1e6}[found[2]]
    wanted = 40 * 32 / 60 * size
    assert wanted <= read <= 1.25 * wanted


def test_a_member_that_fails_ends_alone(tiny_data, tmp_path, alone):
    done = together(["plain", "runaway", "double"], tiny_data.path, tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert any(line.startswith("runaway: the loss became nan before step 10") for line in lines)
    assert lines[-1].startswith("yt8m: 1 of 3 members failed: runaway.")
    assert "Traceback" not in done.stderr
    assert_as_alone(tmp_path, ["plain", "double"], alone)
    assert not (tmp_path / "together/runaway/trained.weights.h5").exists()


def step_of(runs, member):
    """The step of a member's last checkpoint; 0 before the first."""
    try:
        with np.load(runs / f"together/{member}/checkpoints/state.npz") as archive:
            return json.loads(str(archive["header"]))["step"]
    except (OSError, ValueError, KeyError):
        return 0


def started(members, data, runs, after):
    """The process at work, once each member of `after` has a checkpoint of that step or a later one."""
    process = subprocess.Popen(
        words(members, data, runs),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        if all(step_of(runs, member) >= step for member, step in after.items()):
            break
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()[1]
    return process


def children(process):
    return [
        int(child)
        for task in Path(f"/proc/{process.pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]


def test_members_resume_from_different_steps_after_a_kill(tiny_data, tmp_path, alone):
    """All processes are killed; one member was trained already, two have checkpoints of other positions."""
    members = ["plain", "long", "longer"]
    assert together(["plain"], tiny_data.path, tmp_path).returncode == 0
    process = started(members, tiny_data.path, tmp_path, {"long": 50, "longer": 28})
    for child in (*children(process), process.pid):
        os.kill(child, signal.SIGKILL)
    process.communicate()
    stood = {member: step_of(tmp_path, member) for member in ("long", "longer")}
    assert stood["long"] * 16 != stood["longer"] * 32
    done = together(members, tiny_data.path, tmp_path)
    assert done.returncode == 0, done.stderr
    for member, step in stood.items():
        assert f"resuming {tmp_path}/together/{member} after step {step}" in done.stderr
    assert "plain: " not in done.stderr
    assert_as_alone(tmp_path, members, alone)


def test_members_end_with_the_reading_process(tiny_data, tmp_path, alone):
    members = ["long", "longer"]
    process = started(members, tiny_data.path, tmp_path, {"long": 20, "longer": 14})
    orphans = children(process)
    process.kill()
    process.communicate()
    until = time.monotonic() + LINGERING
    while any(Path(f"/proc/{each}/stat").exists() for each in orphans) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [each for each in orphans if Path(f"/proc/{each}/stat").exists()]
    assert together(members, tiny_data.path, tmp_path).returncode == 0
    assert_as_alone(tmp_path, members, alone)


def test_a_killed_member_does_not_hold_the_others(tiny_data, tmp_path, alone):
    process = started(["long", "longer"], tiny_data.path, tmp_path, {"long": 20, "longer": 14})
    [victim] = [each for each in children(process) if b"longer" in Path(f"/proc/{each}/cmdline").read_bytes()]
    os.kill(victim, signal.SIGKILL)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "longer: SIGKILL ended it; the same command resumes." in said
    assert said.splitlines()[-1].startswith("yt8m: 1 of 2 members failed: longer.")
    assert together(["long", "longer"], tiny_data.path, tmp_path).returncode == 0
    assert_as_alone(tmp_path, ["long", "longer"], alone)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_stops_all_members_with_a_checkpoint_each(number, tiny_data, tmp_path, alone):
    members = ["long", "longer", "validated"]
    process = started(members, tiny_data.path, tmp_path, {"long": 20, "longer": 14})
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number, said
    how = "interrupted" if number == signal.SIGINT else f"stopped by {number.name}"
    for member, total in (("long", 400), ("longer", 300)):
        assert f"{member}: {how} at step {step_of(tmp_path, member)} of {total}; the same command" in said
    assert said.splitlines()[-1] == f"yt8m: {how}; the same command resumes."
    assert "Traceback" not in said
    if number == signal.SIGTERM:
        assert together(members, tiny_data.path, tmp_path).returncode == 0
        assert_as_alone(tmp_path, members, alone)


def test_a_student_has_its_own_soft_labels(tiny_data, tmp_path):
    """Of a member trained and exported here; the other member sees the records' labels."""
    runs = [tmp_path / each for each in ("one", "other")]
    for each in runs:
        for verb in ("train", "average", "export", "distill"):
            given = [verb, "together", "plain", f"--runs={each}"]
            data = [] if verb in ("export",) else [f"--data={tiny_data.path}"]
            done = subprocess.run(
                [sys.executable, "-m", "yt8m_kit.cli", *given, *data],
                env=environment(KERAS_BACKEND="tensorflow"),
                capture_output=True,
                encoding="utf-8",
            )
            assert done.returncode == 0, done.stderr
    assert together(["student", "double"], tiny_data.path, runs[0]).returncode == 0
    for member in ("student", "double"):
        assert together([member], tiny_data.path, runs[1]).returncode == 0
        one, other = (each / f"together/{member}/trained.weights.h5" for each in runs)
        assert one.read_bytes() == other.read_bytes(), member
