"""Several devices or hosts that cannot train a member."""

from tools.first_hour.case import Case

TITLE = "Several devices"
JAX = "KERAS_BACKEND=jax"
TRAIN = "yt8m train tiny logistic"
PROCESS = (
    f"{JAX} JAX_COORDINATOR_ADDRESS={{}} JAX_NUM_PROCESSES={{}} JAX_PROCESS_ID={{}} {TRAIN} --devices=all"
)

CASES = (
    Case("two devices for TensorFlow", f"{TRAIN} --devices=2", 2, "set KERAS_BACKEND=jax for --devices=2"),
    Case("devices in words", f"{JAX} {TRAIN} --devices=two", 2, "at least 1, or all; got 'two'"),
    Case(
        "a batch that the devices cannot share",
        f"{JAX} {TRAIN} --devices=3",
        2,
        "batch_size = 16 of logistic is not divisible by 3 devices; take --devices=2",
    ),
    Case(
        "more devices than there are",
        f"{JAX} JAX_PLATFORMS=cpu {TRAIN} --devices=16",
        2,
        "--devices=16 is more than there are: 1 cpu",
        at_once=False,
    ),
    Case(
        "a rank without a number of processes",
        f"JAX_PROCESS_ID=1 {TRAIN} --devices=all",
        2,
        "must be set as well",
    ),
    Case("an address without a port", PROCESS.format("host1", 2, 0), 2, "must be HOST:PORT of process 0"),
    Case("ranks from 1 on", PROCESS.format("host1:4000", 2, 2), 2, "must be from 0 to JAX_NUM_PROCESSES - 1"),
)
