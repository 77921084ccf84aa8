"""Keras' backend: selected before Keras is imported; TensorFlow started silently and reproducible."""

import faulthandler
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from yt8m_kit.machine.cpu import check_avx
from yt8m_kit.machine.last_words import held_stderr


def chosen() -> str:
    """The backend that start() takes where none is given: KERAS_BACKEND, or TensorFlow."""
    return os.environ.get("KERAS_BACKEND", "tensorflow")


def start(backend: str | None = None) -> None:
    """Select `backend`, else KERAS_BACKEND, else TensorFlow; must run before anything imports keras.

    Raises KitError for a CPU on which they do not run.
    """
    check_avx()
    if not faulthandler.is_enabled():
        faulthandler.enable(2)  # where native code ends the process
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = backend or chosen()
    with _no_collection():
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            _start_tensorflow()
        import keras  # noqa: F401


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause Python's garbage collector while Keras is first imported, and freeze what exists by then.

    Scanning half a million module objects, none of them garbage, again and again takes a third of
    TensorFlow's import time.
    """
    if "keras" in sys.modules:  # objects created since may be garbage
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _start_tensorflow() -> None:
    """Import TensorFlow and initialise its devices; its stderr is shown only if that fails.

    Its native code writes some lines directly to the file descriptor, at any log level.
    """
    with held_stderr("TensorFlow"), _missing("jax"):
        import tensorflow as tf

        # The graph rewriter's arithmetic stage orders sums by its nodes' addresses: results differ in
        # the last bit between processes, so that a resumed run would not be bit-identical.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
        tf.constant(0)


@contextmanager
def _missing(module: str) -> Iterator[None]:
    """Hide a module from imports, unless it is already imported.

    TensorFlow Lite's converter imports JAX if it is installed, which adds a fifth to TensorFlow's start-up
    and is only used by conversions that the kit never does.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
