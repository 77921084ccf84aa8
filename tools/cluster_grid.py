"""Twenty stages of a grid in order, and on Ray clusters of one and two nodes: times, overhead, equal bytes.

    python -m tools.cluster_grid [--folder FOLDER] [--write]

Five members of a grid over the learning rate are trained, averaged, exported and used for prediction, on
synthesized videos. All nodes are on this machine, with one stage at a time on each. Returns 1 if the products
of two ways differ.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ray.cluster_utils import Cluster

from benchmarks.harness.docs_tables import parser, show
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.output.digest import digest
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

RECIPE = """
from yt8m_kit.dataset import DEMO
from yt8m_kit.recipe import Member, Recipe

RECIPE = Recipe("grid", "five learning rates", DEMO, ensembles={}, members={
    f"rate_{number}": Member(
        "frame_logistic", batch_size=64, steps=200, learning_rate=10 ** -(1 + number / 2)
    )
    for number in range(5)
})
"""
MEMORY = 80 << 20  # bytes of a node's object store
HEAD = "| where | wall time, s | stages alone, s | overhead a stage, s | products |\n|---|---|---|---|---|\n"


class Measured(NamedTuple):
    """wall: seconds of the command. stages: summed seconds of its stages. digests: of all products."""

    where: str
    nodes: int
    wall: float
    stages: list[float]
    digests: list[str]

    def row(self, is_equal: bool) -> str:
        """A row in Markdown; overhead: what a node spends on a stage besides the stage itself."""
        overhead = (self.wall * self.nodes - sum(self.stages)) / len(self.stages)
        equal = "equal" if is_equal else "DIFFERENT"
        return f"| {self.where} | {self.wall:.0f} | {sum(self.stages):.0f} | {overhead:.1f} | {equal} |"


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Start a head without CPUs and some nodes for one stage each; yield their address."""
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": MEMORY})
    try:
        for _ in range(nodes):
            started.add_node(num_cpus=1, object_store_memory=MEMORY)
        yield str(started.address)
    finally:
        started.shutdown()


def measure(where: str, nodes: int, data: Path, runs: Path, options: Sequence[str]) -> Measured:
    """Make the twenty stages in a new folder of runs."""
    words = ["run", "grid", f"--data={data}", f"--runs={runs}", *options]
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "yt8m_kit.cli", *words], check=True, stdout=subprocess.DEVNULL)
    wall = time.monotonic() - began
    stages = Stages(Experiment(load("grid"), data, runs))
    made = stages.leading_to([stages.predict(name) for name in stages.recipe.members])
    seconds = [record.seconds for stage in made if (record := stage.made())]
    digests = [digest(stage.main) for stage in made if stage.verb in ("average", "predict")]
    return Measured(where, nodes, wall, seconds, digests)


def measurements(folder: Path) -> Iterator[Measured]:
    """In order, and on one and two nodes."""
    data = folder / "data"
    synthesize(data, train=1000, validate=8, test=400, shards=8)
    yield measure("in order, without Ray", 1, data, folder / "in_order", [])
    for nodes in (1, 2):
        with cluster(nodes) as address:
            options = ["--engine=ray", f"--address={address}", "--gpus_per_train=0"]
            where = f"Ray, {nodes} node{'s' * (nodes > 1)}"
            yield measure(where, nodes, data, folder / f"ray_{nodes}", options)


def main() -> int:
    """Measure and print the table; 1 if products differ."""
    made = parser(__doc__)
    made.add_argument("--folder", help="for the data and runs; else a temporary one")
    options = made.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        (folder / "grid.py").write_text(RECIPE, encoding="utf-8")
        os.environ["YT8M_RECIPES"] = str(folder)
        found = [*measurements(folder)]
    equal = [each.digests == found[0].digests for each in found]
    rows = [each.row(is_equal) for each, is_equal in zip(found, equal)]
    count = f"{len(found[0].stages)} stages on {os.cpu_count()} cores"
    show("cluster_grid", f"{count}:\n\n{HEAD}" + "\n".join(rows), options.write)
    return int(not all(equal))


if __name__ == "__main__":
    sys.exit(main())
