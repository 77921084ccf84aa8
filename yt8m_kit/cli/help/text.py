"""Layout of a verb's help: usage, prose, and arguments in two columns."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from yt8m_kit.cli.help.meanings import SHARED, Argument, argument_of, read_docstring

WIDTH = 80  # characters of a line
COLUMN = 24  # characters before the meaning of an argument


def describe(verb: Callable[..., Any], usage: str) -> str:
    """Format a verb's usage, what it does, and each argument with its values, default and meaning."""
    parameters = inspect.signature(verb).parameters
    prose, meanings = read_docstring(verb, set(parameters))
    paragraphs = [_filled(f"yt8m {verb.__name__} {usage}".rstrip(), 4), *map(_filled, prose)]
    meanings = SHARED | meanings
    for title, is_option in (("Arguments", False), ("Options", True)):
        chosen = [p for p in parameters.values() if (p.kind is p.KEYWORD_ONLY) == is_option]
        if chosen:
            lines = [_lines(argument_of(each, meanings.get(each.name, ""))) for each in chosen]
            paragraphs.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(paragraphs) + "\n"


def _filled(paragraph: str, indent: int = 0) -> str:
    return textwrap.fill(
        paragraph, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def _lines(argument: Argument) -> str:
    """An argument and its meaning in two columns."""
    first = f"  {argument.left}".ljust(COLUMN - 1)
    own_line = len(first) >= COLUMN
    lines = list(_wrapped(argument.meaning))
    if own_line:
        return "\n".join([first.rstrip(), *(" " * COLUMN + line for line in lines)])
    return "\n".join([f"{first} {lines[0]}", *(" " * COLUMN + line for line in lines[1:])])


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, WIDTH - COLUMN, break_long_words=False, break_on_hyphens=False)
