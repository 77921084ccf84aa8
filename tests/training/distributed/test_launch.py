"""What launchers say, and what --devices asks for."""

import pytest

from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member
from yt8m_kit.training.distributed.launch import Launch, launch
from yt8m_kit.training.distributed.request import check_batch, requested

THREE = {"JAX_COORDINATOR_ADDRESS": "node1:4000", "JAX_NUM_PROCESSES": "4", "JAX_PROCESS_ID": "3"}
SLURM = {"SLURM_STEP_NODELIST": "node[1-2]", "SLURM_NTASKS": "16", "SLURM_PROCID": "9"}
MPI = {"OMPI_MCA_orte_hnp_uri": "1;tcp://1", "OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Launch()),
        (THREE, Launch(4, 3, "node1:4000")),
        (THREE | {"JAX_NUM_PROCESSES": "1", "JAX_PROCESS_ID": "0"}, Launch()),
        (SLURM, Launch(16, 9, None, "slurm")),
        (SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, Launch()),
        # A batch script outside srun is no step: one process.
        ({"SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}, Launch()),
        (MPI, Launch(2, 0, None, "ompi")),
        (SLURM | THREE, Launch(4, 3, "node1:4000")),
    ],
)
def test_launchers(environment, expected):
    assert launch(environment) == expected


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"JAX_PROCESS_ID": ""}, "JAX_PROCESS_ID must be set as well"),
        ({"JAX_COORDINATOR_ADDRESS": ""}, "JAX_COORDINATOR_ADDRESS must be set as well"),
        ({"JAX_COORDINATOR_ADDRESS": "node1"}, "must be HOST:PORT of process 0; got 'node1'"),
        ({"JAX_NUM_PROCESSES": "two"}, "JAX_NUM_PROCESSES must be a whole number; got 'two'"),
        ({"JAX_PROCESS_ID": "4"}, "must be from 0 to JAX_NUM_PROCESSES - 1; got 4 of 4"),
        ({"JAX_PROCESS_ID": "-1"}, "JAX_PROCESS_ID must be a whole number; got '-1'"),
    ],
)
def test_variables_that_do_not_fit(changed, said):
    with pytest.raises(UsageError, match=said):
        launch(THREE | changed)


@pytest.mark.parametrize(
    ("devices", "processes", "expected"), [(None, 1, None), ("1", 1, None), ("8", 2, 8), ("all", 2, 0)]
)
def test_devices(devices, processes, expected, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert requested(devices, Launch(processes)) == expected


@pytest.mark.parametrize(
    ("devices", "processes", "said"),
    [
        ("0", 1, "at least 1, or all; got '0'"),
        ("two", 1, "or all; got 'two'"),
        ("-2", 1, "or all; got '-2'"),
        ("3", 2, "must be a multiple of the 2 processes; got 3"),
        ("1", 2, "must be a multiple of the 2 processes; got 1"),
    ],
)
def test_devices_that_cannot_be(devices, processes, said, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UsageError, match=said):
        requested(devices, Launch(processes))


def test_tensorflow_trains_on_one_device(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    with pytest.raises(UsageError, match=r"set KERAS_BACKEND=jax for --devices=2"):
        requested("2", Launch())


def test_each_device_gets_as_many_videos():
    check_batch(Member("netvlad", {}, batch_size=12, steps=1), "a", 4)
    with pytest.raises(
        UsageError, match="batch_size = 12 of a is not divisible by 8 devices; take --devices=6"
    ):
        check_batch(Member("netvlad", {}, batch_size=12, steps=1), "a", 8)
    member = Member("netvlad", {}, batch_size=12, accumulate=2, steps=1)
    with pytest.raises(UsageError, match=r"batch_size / accumulate = 6 of a is not .* take --devices=3"):
        check_batch(member, "a", 4)
