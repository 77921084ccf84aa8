"""Two Ray nodes on this machine, to be lost in the middle of a stage."""

import time
from pathlib import Path

from yt8m_kit.run import Run

MEMORY = 80 << 20  # bytes of a node's object store: stages pass files, not objects
SECONDS = 400  # for something to happen in a run


class TwoNodes:
    """A head without CPUs, and two nodes that run one stage each."""

    def __init__(self, cluster_class):
        self.cluster = cluster_class(
            initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": MEMORY}
        )
        self.nodes = [self.add() for _ in range(2)]

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self):
        return self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def lose(self, run: Run, words: str) -> None:
        """Kill the node that works in a run, once it does so, and add another one."""
        process = int(wait_for(lambda: holder(run, words)).rpartition("process ")[2].partition(" ")[0])
        [node] = [node for node in self.nodes if raylet(node) == parent(process)]
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)
        self.nodes.append(self.add())


def wait_for(found):
    """Wait until `found` returns something."""
    end = time.monotonic() + SECONDS
    while not (result := found()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return result


def holder(run: Run, words: str) -> str:
    """The process that works in a run on a stage of these words; empty if there is none."""
    return next((holder for holder in run.holders() if holder.startswith(words)), "")


def raylet(node) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
