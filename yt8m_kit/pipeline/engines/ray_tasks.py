"""The Ray engine: each task a Ray task, in a process of its own on a node of the cluster."""

import contextlib
import io
import time
from typing import Any

import ray

from yt8m_kit.errors import UsageError
from yt8m_kit.output import progress
from yt8m_kit.pipeline.engines import ray_cluster
from yt8m_kit.pipeline.engines.on_node import run_verb
from yt8m_kit.pipeline.engines.task import Outcome, Task
from yt8m_kit.pipeline.stage import Stage

WITH_GPU = ("train", "average", "evaluate", "quantize", "predict", "distill")
LOSSES = 3  # nodes that a task may lose before it fails
PATIENCE = 60  # seconds for interrupted tasks to save their state; then they are killed


class RayTasks:
    """Tasks on the cluster at `address`: "auto" or HOST[:PORT].

    gpus_per_train: GPUs of a training; other stages that run models take one, or none if this is 0.
    todo: the stages to be made, for which the nodes are checked. Raises UsageError if there is no cluster,
    if no node has these GPUs, or if a node lacks the kit or its folders.
    """

    shows_output = False

    def __init__(self, address: str, gpus_per_train: int, todo: list[Stage]):
        self._gpus_per_train = gpus_per_train
        self._running: dict[Any, Task] = {}
        self._lost: dict[tuple[str, ...], int] = {}
        self._task = ray.remote(max_calls=1, max_retries=0)(run_verb)
        # Ray prints what happens to nodes and workers on stdout, which is for the paths of products.
        self._quiet = contextlib.redirect_stdout(io.StringIO())
        ray_cluster.connect(address)
        self._quiet.__enter__()
        try:
            self._check(todo)
        except BaseException:
            self._leave()
            raise

    def _check(self, todo: list[Stage]) -> None:
        self._variables = ray_cluster.variables()
        found = ray_cluster.nodes()
        most, wanted = max(node.gpus for node in found), max(self._gpus(stage.verb) for stage in todo)
        if most < wanted:
            have = ", ".join(f"{node.name} has {node.gpus}" for node in found)
            raise UsageError(
                f"no node of the cluster has {progress.plural(wanted, 'GPU')}: {have}. Pass a lower "
                "--gpus_per_train; 0 runs all stages on CPUs."
            )
        reads = list(dict.fromkeys(split for stage in todo for split in stage.reads))
        ray_cluster.check_nodes(todo[0].experiment, reads, self._variables)

    def _gpus(self, verb: str) -> int:
        if verb == "train":
            return self._gpus_per_train
        return min(1, self._gpus_per_train) if verb in WITH_GPU else 0

    def slots(self, verb: str) -> int:
        """Return how many tasks of a verb the nodes have room for."""
        gpus = self._gpus(verb)
        return sum(node.gpus // gpus if gpus else node.cpus for node in ray_cluster.nodes())

    def is_free(self) -> bool:
        """Return True: Ray queues tasks until a node has their resources."""
        return True

    def start(self, task: Task) -> None:
        """Submit a task; Ray queues it until a node has its resources."""
        task.log.unlink(missing_ok=True)
        sized = self._task.options(
            num_cpus=1, num_gpus=self._gpus(task.stage.verb), name=" ".join(task.words)
        )
        self._running[sized.remote(task.command, task.log, self._variables)] = task

    def finished(self, seconds: float) -> list[tuple[Task, Outcome]]:
        """Wait for a task to end, at most for some seconds; tasks of lost nodes are submitted again."""
        done, _ = ray.wait([*self._running], timeout=seconds)
        ended = ((self._running.pop(reply), reply) for reply in done)
        outcomes = [(task, self._outcome(task, reply)) for task, reply in ended]
        return [(task, outcome) for task, outcome in outcomes if outcome]

    def _outcome(self, task: Task, reply: Any) -> Outcome | None:
        """How a task ended; None if it was submitted again."""
        try:
            return Outcome(*ray.get(reply))
        except ray.exceptions.NodeDiedError:
            lost = self._lost[task.words] = self._lost.get(task.words, 0) + 1
            if lost > LOSSES:
                return Outcome(1, f"its node was lost {lost} times")
            progress.say(f"{' '.join(task.words)}: its node was lost; it resumes on another one")
            self.start(task)
            return None
        except ray.exceptions.WorkerCrashedError:
            return Outcome(1, f"its process was killed, as for lack of memory; see {task.log}")
        except ray.exceptions.RayError as error:
            return Outcome(1, f"Ray could not run it: {str(error).strip().splitlines()[-1]}")

    def stop(self, number: int) -> None:
        """Interrupt all tasks as Ctrl-C does, whatever the signal; wait for them, and leave the cluster."""
        for reply in self._running:
            ray.cancel(reply)
        end = time.monotonic() + PATIENCE
        left = [*self._running]
        while left and time.monotonic() < end:
            _, left = ray.wait(left, timeout=1)
        self._running.clear()
        self._leave()

    def _leave(self) -> None:
        """Disconnect, which kills the tasks that still run."""
        ray.shutdown()
        self._quiet.__exit__(None, None, None)
