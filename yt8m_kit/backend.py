"""Keras' backend: chosen before Keras is imported, TensorFlow started quietly and made reproducible."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def chosen() -> str:
    """The backend that start() takes where none is given: KERAS_BACKEND, or TensorFlow."""
    return os.environ.get("KERAS_BACKEND", "tensorflow")


def start(backend: str | None = None) -> None:
    """Use `backend`, or the chosen one; must run before anything imports keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = backend or chosen()
    with _no_collection():
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            _start_tensorflow()
        import keras  # noqa: F401


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause Python's garbage collector while Keras is first imported, and freeze what exists by then.

    Half a million objects of modules, none of them garbage: to look through them again and again takes a
    third of the time that it takes to import TensorFlow.
    """
    if "keras" in sys.modules:  # what has come since may be garbage
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _start_tensorflow() -> None:
    """Import TensorFlow and let it find its devices; what it writes to stderr is shown only if that fails.

    Its native code writes some lines straight to the file descriptor, whatever the log level.
    """
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            with _missing("jax"):
                import tensorflow as tf

            # The graph rewriter's arithmetic stage orders sums by the addresses of its nodes: the same
            # program differs in the last bit from process to process, and a resumed run with it.
            tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
            tf.constant(0)
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _missing(module: str) -> Iterator[None]:
    """Make a module look as if it were not installed, unless it was imported before.

    TensorFlow Lite's converter imports JAX where it finds it, a fifth of TensorFlow's own time to start, for
    conversions that nobody asks for.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
