"""Argument parsing: a verb's arguments are bound and checked before it runs."""

import functools
import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from yt8m_kit.errors import UsageError
from yt8m_kit.machine.home import expanded


class Pending:
    """A verb with its arguments bound and checked, not yet run.

    Fire detects surplus words only after the call, so the call must have no effect yet. The attributes are
    hidden, so that Fire does not apply further words to them.
    """

    def __init__(self, run: Callable[[], Any]):
        self.run = run

    def __dir__(self) -> list[str]:
        return []

    def __str__(self) -> str:
        return ""


def convert(name: str, kind: Any, text: Any) -> Any:
    """Convert the text of an argument to its annotated type; UsageError lists what is allowed."""
    if not isinstance(text, str):
        return text
    if get_origin(kind) in (types.UnionType, Union):  # Literal[...] | None is the latter
        kind = next(part for part in get_args(kind) if part is not types.NoneType)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"--{name} takes no value, or true or false; got {text!r}.")
        return text.lower() == "true"
    if text == "True":
        raise UsageError(f"--{name} needs a value, as in --{name}=VALUE.")
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise UsageError(f"--{name} must be one of {', '.join(get_args(kind))}; got {text!r}.")
        return text
    if kind is Path:
        return expanded(text)
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--{name} must be a whole number; got {text!r}.") from None


def binding(function: Callable[..., Any]) -> Callable[..., Pending]:
    """Wrap a function so that calling it binds and checks its arguments; main() runs the result."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def bind(*args: Any, **kwargs: Any) -> Pending:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[name] = convert(name, parameter.annotation, value)
        return Pending(lambda: function(*bound.args, **bound.kwargs))

    return bind


def usage(function: Callable[..., Any]) -> str:
    """Format a verb's arguments for a usage line."""
    shown = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            shown.append(f"[{name.upper()} ...]")
        elif parameter.default is inspect.Parameter.empty:
            shown.append(name.upper())
        elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            shown.append(f"[{name.upper()}]")
        elif parameter.default is False:
            shown.append(f"[--{name}]")
        else:
            value = name.upper() if parameter.default is None else parameter.default
            shown.append(f"[--{name}={value}]")
    return " ".join(shown)
