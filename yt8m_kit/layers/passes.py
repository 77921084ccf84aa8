"""Passes over all bytes of a batch of frames, compiled where a training step compiles them.

Operation by operation a backend writes frames as floats, four times their size, once for each operation; a
compiled pass reads the bytes once and writes what comes of them. In float32 it saves nothing: the products
need the floats as well.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from yt8m_kit.layers.layer import Tensor

Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]
LARGE = 1 << 23  # bytes of frames from which on a pass saves more than its compilation, half a second, costs
_compiler: ContextVar[Compiler | None] = ContextVar("compiler", default=None)


@contextmanager
def compiled_passes(compiler: Compiler | None) -> Iterator[None]:
    """Compile passes in models that are called within; None: as without it."""
    token = _compiler.set(compiler)
    try:
        yield
    finally:
        _compiler.reset(token)


def one_pass(function: Callable[..., Any], dtype: str, codes: Tensor, *rest: Tensor) -> Any:
    """Call function(codes, *rest), compiled if passes are, there are many codes and products are not float32.

    dtype: of the products. No gradient may be needed through it: only frames and what belongs to them go in.
    """
    compiler = _compiler.get()
    if compiler is None or dtype == "float32" or None in codes.shape or math.prod(codes.shape) < LARGE:
        return function(codes, *rest)
    return compiler(function)(codes, *rest)
