"""What runs on the nodes of a cluster: a verb, and the check of a node's folders."""

import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from yt8m_kit import __version__
from yt8m_kit.data.loader import manifest, splits
from yt8m_kit.errors import KitError
from yt8m_kit.pipeline.engines.activity import last_line
from yt8m_kit.recipe import Recipe, load
from yt8m_kit.stores.path import DataPath

THREADS = "OMP_NUM_THREADS"  # Ray sets it to the CPUs of a task, which would change the order of sums


class Site(NamedTuple):
    """What a node must have: the kit's version, recipe and shards of the driver, and its folder of runs.

    shards: bytes by path. token: a file in the folder of runs. variables: of the environment.
    """

    version: str
    recipe: Recipe
    shards: Mapping[DataPath, int]
    token: Path
    variables: Mapping[str, str]

    @classmethod
    def here(cls, recipe: Recipe, data: DataPath, split_names: Sequence[str], token: Path,
             variables: Mapping[str, str]) -> "Site":  # fmt: skip
        """Describe this machine, the driver."""
        paths = (path for split in split_names for path in splits.find(data, split))
        return cls(__version__, recipe, {path: manifest.size_of(path) for path in paths}, token, variables)


def fault_of_node(site: Site) -> str:
    """Describe what this node lacks of the driver's site; empty if nothing."""
    _set(site.variables)
    if __version__ != site.version:
        return f"has yt8m-kit {__version__}, not {site.version}: install the same version"
    if not site.token.exists():
        return (
            f"does not have the folder of runs {site.token.parent}: mount it there, or name another by --runs"
        )
    for path, size in site.shards.items():
        if not path.exists():
            return f"does not have {path}: mount the records there, or name their folder by --data"
        if (found := manifest.size_of(path)) != size:
            return f"has another {path}: {found:,} bytes, not {size:,}"
    try:
        is_equal = repr(load(site.recipe.name)) == repr(site.recipe)
    except KitError as error:
        return f"cannot load the recipe: {error}"
    return "" if is_equal else f"has another recipe {site.recipe.name}: share the folder YT8M_RECIPES"


def run_verb(command: Sequence[str], log: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a command line in this process, which ends with it; return its exit code and last sentence.

    Not in a child, which would outlive a lost node's processes and keep the lock of its run. log: the file
    that takes its output.
    """
    _set(variables)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", buffering=1, encoding="utf-8") as output:
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
        sys.stdout = sys.stderr = output
        code = _run(command)
    return code, last_line(log).removeprefix("yt8m: ")


def _run(command: Sequence[str]) -> int:
    sys.argv = ["yt8m", *command]
    try:
        runpy.run_module("yt8m_kit.cli", run_name="__main__")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _set(variables: Mapping[str, str]) -> None:
    if THREADS not in variables:
        os.environ.pop(THREADS, None)
    os.environ.update(variables)
