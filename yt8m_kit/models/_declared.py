"""Hyperparameters that a family's build declares, read from its source: Keras is not imported."""

import ast
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from yt8m_kit import fields

FOLDER = Path(__file__).parent


class Hyperparameter(NamedTuple):
    """kind: its annotation. default: None as well where is_required."""

    kind: Any
    default: Any = None
    is_required: bool = False


@cache
def declared(family: str) -> dict[str, Hyperparameter]:
    """Return the keyword-only parameters of build in FAMILY.py, by name, in their order."""
    tree = ast.parse((FOLDER / f"{family}.py").read_text(encoding="utf-8"))
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    arguments = zip(build.args.kwonlyargs, build.args.kw_defaults)
    return {argument.arg: _hyperparameter(argument, default) for argument, default in arguments}


def _hyperparameter(argument: ast.arg, default: ast.expr | None) -> Hyperparameter:
    assert argument.annotation is not None
    source = ast.unparse(argument.annotation)
    kind = eval(source, {**vars(fields), "Literal": Literal})  # an annotation of the kit's own source
    if default is None:
        return Hyperparameter(kind, is_required=True)
    return Hyperparameter(kind, ast.literal_eval(default))
