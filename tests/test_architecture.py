"""Packages import one way only, models are free of TensorFlow, and the command line starts light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "yt8m_kit"
# A package imports what stands left of its bar, and nothing else of the kit.
ORDER = """
    errors | fields machine | dataset metrics backend | stores | output codecs layers | models | recipe
    | trial | run data | pipeline extraction | submission | inference | quantization evaluation segments
    | training ensembling export | reporting serving | cli
"""
RANK = {name: rank for rank, names in enumerate(ORDER.split("|")) for name in names.split()}
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
MOST_FILES = 10  # of a folder; models/ has one a family


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(path: Path) -> Iterator[list[str]]:
    """Of these, the kit's own, without its name."""
    parts = (name.split(".") for name in imports(path))
    return (name[1:] for name in parts if name[0] == "yt8m_kit" and name[1:] not in ([], ["__version__"]))


def package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_packages_import_one_way(path):
    here = package(path)
    assert here in RANK, f"{here} has no place in ORDER"
    for name in own(path):
        if name[0] != here:
            assert name[0] in RANK, f"{module(path)} imports {name[0]}, which has no place in ORDER"
            assert RANK[name[0]] < RANK[here], f"{module(path)} imports {'.'.join(name)}: not left of {here}"


def test_files_form_no_circle():
    modules = {module(path): path for path in FILES}

    def targets(path: Path) -> set[str]:
        found = {".".join(name[:depth]) for name in own(path) for depth in range(1, len(name) + 1)}
        packages = {f"{each}.__init__" for each in found if f"{each}.__init__" in modules}
        own_packages = {f"{'.'.join(here.parts)}.__init__" for here in path.relative_to(PACKAGE).parents}
        return ((found & modules.keys()) | packages) - {module(path)} - own_packages

    try:
        TopologicalSorter({name: targets(path) for name, path in modules.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("path", [p for p in FILES if package(p) in ("layers", "models")], ids=module)
def test_layers_and_models_import_keras_and_numpy_only(path):
    allowed = sys.stdlib_module_names | {"keras", "numpy", "yt8m_kit"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed
    assert {name[0] for name in own(path)} <= {"errors", "fields", "dataset", "layers", "models"}


@pytest.mark.parametrize("path", [p for p in FILES if package(p) in ("data", "submission")], ids=module)
def test_data_and_submission_import_no_framework(path):
    assert not {"keras", "tensorflow", "jax"} & {name.split(".")[0] for name in imports(path)}


def test_folders_are_small():
    folders = {path.parent for path in FILES} - {PACKAGE / "models"}
    crowded = {f.name: n for f in folders if (n := len([*f.glob("[!_]*.py")])) > MOST_FILES}
    assert not crowded


def test_importing_the_command_line_is_light():
    heavy = {"tensorflow", "keras", "jax", "pandas", "kaggle", "kagglesdk", "requests", "numpy"}
    code = "import sys, yt8m_kit.cli.main; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert not heavy & set(done.stdout.split())
