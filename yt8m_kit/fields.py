"""Check values against annotations: types, ranges and choices, before anything is computed."""

import functools
import inspect
import math
import reprlib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from yt8m_kit.errors import UsageError, did_you_mean

Class = TypeVar("Class", bound=type)


class Interval(NamedTuple):
    """Range of a number, as metadata of Annotated; the bounds belong to it unless they are open."""

    low: float
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value lies in the range."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self) -> str:
        if not (self.low_open or self.high_open or math.isinf(self.high)):
            return f"from {self.low:,} to {self.high:,}"
        low = f"{'over' if self.low_open else 'at least'} {self.low:,}"
        high = f"{'below' if self.high_open else 'at most'} {self.high:,}"
        return low if math.isinf(self.high) else f"{low} and {high}"


Count = Annotated[int, Interval(1)]
Whole = Annotated[int, Interval(0)]
Port = Annotated[int, Interval(0, 65535)]
Positive = Annotated[float, Interval(0, low_open=True)]
NonNegative = Annotated[float, Interval(0)]
Share = Annotated[float, Interval(0, 1)]
DropoutRate = Annotated[float, Interval(0, 1, high_open=True)]

_NOUNS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
_EXAMPLES: dict[Any, str] = {bool: "True", int: "1", float: "1.0", str: '"a"'}


def check(name: str, value: Any, kind: Any) -> None:
    """Raise UsageError with the name, what is allowed and the value, unless it is of the annotated kind."""
    if get_origin(kind) is Mapping and isinstance(value, Mapping):
        of_key, of_value = get_args(kind)
        for key, each in value.items():
            check(f"key of {name}", key, of_key)
            check(f"{name}[{key!r}]", each, of_value)
    elif not matches(value, kind):
        raise UsageError(f"{name} must be {describe(kind)}; got {shown(value)}.{_hint(value, kind)}")


def matches(value: Any, kind: Any) -> bool:
    """Whether a value is of the annotated kind. Whole numbers are numbers; True and False are neither."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Annotated:
        return matches(value, parts[0]) and all(each.holds(value) for each in parts[1:])
    if origin in (types.UnionType, Union):
        return any(matches(value, part) for part in parts)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if origin is tuple:
        return isinstance(value, tuple) and _items_match(value, parts)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if origin is Callable:
        return callable(value)
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value is None if kind is types.NoneType else isinstance(value, kind)


def _items_match(value: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return all(matches(item, kinds[0]) for item in value)
    return len(value) == len(kinds) and all(map(matches, value, kinds))


def describe(kind: Any) -> str:
    """Describe the values of an annotated kind, as in "a whole number (at least 1) or None"."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return f"{describe(parts[0])} ({', '.join(map(str, parts[1:]))})"
    if origin in (types.UnionType, Union):
        return " or ".join(map(describe, parts))
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}" if len(parts) > 1 else str(parts[0])
    if origin is tuple:
        return f"a tuple such as {_example(kind)}"
    if origin is Mapping:
        return f"a dict such as {_example(kind)}"
    if origin is Callable:
        return "a function"
    return "None" if kind is types.NoneType else _NOUNS.get(kind) or _example(kind)


def _example(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _example(parts[0])
    if origin is tuple:
        items = [_example(part) for part in parts if part is not Ellipsis]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if origin is Mapping:
        return f"{{{_example(parts[0])}: {_example(parts[1])}}}"
    return _EXAMPLES.get(kind) or ("..." if kind is Any else f"{kind.__name__}(...)")


def shown(value: Any) -> str:
    """Format a value for a message: on one line, shortened if it is long."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = 80
    return " ".join(brief.repr(value).split())


def _hint(value: Any, kind: Any) -> str:
    if isinstance(value, str):
        choices = [choice for each in (kind, *get_args(kind)) for choice in _choices(each)]
        return did_you_mean(value, choices) or (" Write it without quotes." if _fits(value, kind) else "")
    if isinstance(value, float) and value.is_integer() and matches(int(value), kind):
        return f" Write {int(value)}."
    return ""


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _fits(text: str, kind: Any) -> bool:
    """Whether the number in a text would be of the kind."""
    for number in (int, float):
        try:
            return matches(number(text), kind)
        except ValueError:
            continue
    return False


def checked(cls: Class) -> Class:
    """Make a dataclass check its arguments by the annotations of its fields; lists become tuples.

    The constructor raises UsageError, which names the field, before the class's own __post_init__ runs.
    """
    construct: Callable[..., None] = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(construct)
    kinds = {field.name: field.type for field in fields(cls)}

    @functools.wraps(construct)
    def check_and_construct(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs.keys() - kinds.keys():
            raise UsageError(unknown(f"{cls.__name__} has no setting", name, kinds))
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise UsageError(f"{cls.__name__}: {error}; its settings: {', '.join(kinds)}.") from None
        given = {name: _tupled(value, kinds[name]) for name, value in list(bound.arguments.items())[1:]}
        for name, value in given.items():
            check(name, value, kinds[name])
        construct(self, **given)

    cls.__init__ = check_and_construct  # type: ignore[misc]
    return cls


def unknown(complaint: str, name: str, known: Iterable[str]) -> str:
    """Format "COMPLAINT 'name'", the most similar of the known names, and all of them."""
    close = did_you_mean(name, known)
    return f"{complaint} {name!r}.{close} There are: {', '.join(known) or 'none'}."


def _tupled(value: Any, kind: Any) -> Any:
    """Convert lists to tuples, inside them as well, where the kind asks for tuples."""
    is_tuple = tuple in (get_origin(part) for part in (kind, *get_args(kind)))
    return _all_tupled(value) if is_tuple else value


def _all_tupled(value: Any) -> Any:
    return tuple(map(_all_tupled, value)) if isinstance(value, list | tuple) else value
