"""What a verb's docstring and signature say about its arguments, in plain words."""

import inspect
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

# Meanings of the arguments that verbs share; a verb's docstring has its own, in lines `name: meaning`.
SHARED = {
    "recipe": "a recipe; yt8m recipes lists them",
    "member": "a member of the recipe; yt8m members lists them",
    "name": "a member or ensemble of the recipe",
    "names": "members and ensembles of the recipe; none: all of them",
    "split": "the part of the data set",
    "data": "the records; else $YT8M_DATA, else data/DATASET",
    "runs": "weights, graphs and predictions; else $YT8M_RUNS, else runs",
    "strict": "a bad record is an error; else it is skipped and named",
    "steps": "a small trial, in RUNS/trials: the steps of each member",
    "limit_videos": "a small trial: the first records of each split",
    "tsv": "as tab-separated values in full, with a header",
    "json": "as JSON, with values in full",
    "anew": "make it again; old files are moved to old/",
}
# All other paths are folders.
FILES = {"labels": "file", "vocabulary": "file", "source": "file or folder"}
FILES |= {"image_weights": "file or URL", "audio_weights": "file or URL", "pca": "file"}
_MEANING = re.compile(r"(\w+): (.*)", re.DOTALL)


class Argument(NamedTuple):
    """An argument of a verb. left: how it is written. meaning: also its choices and its default."""

    left: str
    meaning: str


def read_docstring(verb: Callable[..., Any], names: set[str]) -> tuple[list[str], dict[str, str]]:
    """Split a verb's docstring into paragraphs of prose and meanings of arguments without their full stop."""
    prose, meanings = [], {}
    for paragraph in inspect.cleandoc(verb.__doc__ or "").split("\n\n"):
        for part in re.split(r"\n(?=\w+: )", paragraph):
            found = _MEANING.fullmatch(part)
            if found and found[1] in names:
                meanings[found[1]] = " ".join(found[2].split()).removesuffix(".")
            else:
                prose.append(" ".join(part.split()))
    return prose, meanings


def argument_of(parameter: inspect.Parameter, meaning: str) -> Argument:
    """A positional argument with its type in words; an option with the type as its value."""
    value, values = _values(parameter.name, parameter.annotation)
    notes = _notes(parameter, values)
    if parameter.kind is parameter.KEYWORD_ONLY:
        return Argument(f"--{parameter.name}{f'={value}' if value else ''}", f"{meaning}{notes}")
    kind = "" if value == "TEXT" or notes.startswith(" (one of") else f"{values}: "
    return Argument(parameter.name.upper(), f"{kind}{meaning}{notes}")


def _notes(parameter: inspect.Parameter, values: str) -> str:
    """The choices and the default of an argument in brackets; empty if it has neither."""
    notes = [values] if values.startswith(("one of", "on or off")) else []
    if isinstance(parameter.default, bool):
        notes.append(f"default {'on' if parameter.default else 'off'}")
    elif parameter.default not in (None, parameter.empty):
        notes.append(f"default {parameter.default}")
    return f" ({'; '.join(notes)})" if notes else ""


def _values(name: str, kind: Any) -> tuple[str, str]:
    """Return how a value is written in a usage line, empty for a switch, and the allowed values in words."""
    if get_origin(kind) in (types.UnionType, Union):
        kind = next(part for part in get_args(kind) if part is not types.NoneType)
    if get_origin(kind) is Literal:
        return name.upper(), f"one of {', '.join(get_args(kind))}"
    if kind is Path:
        return ("FILE" if name in FILES else "FOLDER"), FILES.get(name, "folder")
    return {bool: ("", "on or off"), int: ("NUMBER", "whole number")}.get(kind, ("TEXT", "text"))
