"""Imports go down only, models are free of TensorFlow, and the command line starts light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "yt8m_kit"
FLOORS = [
    {"errors", "spec", "recipe", "run", "atomic", "progress", "backend"},
    {"allocation", "candidates", "metrics", "codecs", "data", "layers", "submission_file", "table"}
    | {"ledger", "pipeline"},
    {"models"},
    {"plan", "rebuild", "serialized"},
    {"moving_statistics", "checkpoints", "optimizer", "validation", "scalars", "shadows"},
    {"steps"},
    {"loop"},
    {"train", "average", "predict", "kaggle_board"},
    {
        "evaluate",
        "blend",
        "selection",
        "gate",
        "graph",
        "archive",
        "moments",
        "quantize",
        "export",
        "distill",
    },
    {"leaderboard", "report", "check", "show", "segments"},
    {"binding", "data_verbs", "cli"},
]
FLOOR = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def imports(path):
    """Dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    assert room(path) in FLOOR, f"{path} has no floor"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "yt8m_kit" and parts[1] in FLOOR and parts[1] != room(path):
            assert FLOOR[parts[1]] <= FLOOR[room(path)], f"{path} imports {name} from a higher floor"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in ("layers", "models")], ids=lambda p: p.stem)
def test_layers_and_models_import_keras_and_numpy_only(path):
    allowed = sys.stdlib_module_names | {"keras", "numpy", "yt8m_kit"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


def test_importing_the_command_line_is_light():
    heavy = {"tensorflow", "keras", "jax", "pandas", "kaggle", "kagglesdk", "requests", "numpy"}
    code = "import sys, yt8m_kit.cli; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())
