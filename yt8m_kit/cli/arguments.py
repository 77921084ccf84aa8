"""Argument parsing: a verb's arguments are bound and checked before it runs."""

import functools
import inspect
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from yt8m_kit import fields
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.machine.home import expanded
from yt8m_kit.recipe import load
from yt8m_kit.stores.path import StorePath, data_path


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
        if StorePath in get_args(kind):
            return data_path(_given(name, text))
        kind = next(part for part in get_args(kind) if part is not types.NoneType)
    if get_origin(kind) is Annotated:
        value = convert(name, get_args(kind)[0], text)
        fields.check(f"--{name}", value, kind)
        return value
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"--{name} takes no value, or true or false; got {text!r}.")
        return text.lower() == "true"
    _given(name, text)
    if kind is Path and "://" in text:
        raise UsageError(f"--{name} must be a folder or file; only --data may be a URL; got {text!r}.")
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            close = did_you_mean(text, get_args(kind))
            raise UsageError(f"--{name} must be one of {', '.join(get_args(kind))}; got {text!r}.{close}")
        return text
    if kind is Path:
        return expanded(text)
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--{name} must be a whole number; got {text!r}.") from None


def _given(name: str, text: str) -> str:
    """The text of an option; Fire passes True for one without a value."""
    if text == "True":
        raise UsageError(f"--{name} needs a value, as in --{name}=VALUE.")
    return text


def binding(function: Callable[..., Any]) -> Callable[..., Pending]:
    """Wrap a function so that calling it binds and checks its arguments; main() runs the result.

    Before the function runs, the recipe and what is named of it are looked up: long before a verb imports
    TensorFlow.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def bind(*args: Any, **kwargs: Any) -> Pending:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                bound.arguments[name] = convert(name, parameter.annotation, value)

        def run() -> Any:
            look_up(bound.arguments)
            return function(*bound.args, **bound.kwargs)

        return Pending(run)

    return bind


def look_up(arguments: Mapping[str, Any]) -> None:
    """Look up the recipe, members and ensembles that a verb's arguments name.

    Raises UsageError for a mistake in the recipe, and for a name that it does not have.
    """
    if not isinstance(name := arguments.get("recipe"), str):
        return
    recipe = load(name)
    if "member" in arguments:
        for member in (arguments["member"], *arguments.get("more", ())):
            recipe.member(member)
    found = [arguments[word] for word in ("ensemble", "name", "teacher") if arguments.get(word) is not None]
    for each in (*found, *arguments.get("names", ())):
        recipe.ensemble(each)


_SURPLUS, _MISSING = "Could not consume arg: ", "no value for the required argument: "  # as Fire says it
_FLAGS = "Missing required flags: "


def misused(why: str, verb: str, function: Callable[..., Any]) -> UsageError:
    """Return the error for arguments that Fire refuses for the reason `why`, with the usage of the verb."""
    surplus, missing = why.partition(_SURPLUS)[2], why.partition(_MISSING)[2]
    if surplus.startswith("-"):
        flag = surplus.partition("=")[0]
        flags = [f"--{name}" for name in inspect.signature(function).parameters]
        why = f"{verb} has no flag {flag}.{did_you_mean(flag, flags)}"
    elif surplus:
        why = f"unexpected argument {surplus!r}."
    elif missing:
        why = f"the argument {missing.upper()} is missing."
    elif why.startswith(_FLAGS):
        names = ", ".join(f"--{name}" for name in sorted(re.findall(r"\w+", why.removeprefix(_FLAGS))))
        why = f"{names} must be given."
    else:
        why += "."
    return UsageError(f"{why} Usage: yt8m {verb} {usage(function)}".rstrip())


def usage(function: Callable[..., Any]) -> str:
    """Format a verb's arguments for a usage line."""
    shown = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            shown.append(f"[{name.upper()} ...]")
        elif parameter.default is inspect.Parameter.empty:
            is_flag = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            shown.append(f"--{name}={name.upper()}" if is_flag else name.upper())
        elif parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            shown.append(f"[{name.upper()}]")
        elif parameter.default is False:
            shown.append(f"[--{name}]")
        else:
            value = name.upper() if parameter.default is None else parameter.default
            shown.append(f"[--{name}={value}]")
    return " ".join(shown)
