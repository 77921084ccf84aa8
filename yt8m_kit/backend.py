"""Keras' backend: selected before Keras is imported; TensorFlow started silently and reproducible.

~/.keras/keras.json has no effect: neither on the backend nor on floats, epsilons and the order of axes.
"""

import faulthandler
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec

from yt8m_kit.errors import KitError, UsageError, did_you_mean
from yt8m_kit.machine.cpu import check_avx
from yt8m_kit.machine.interrupts import ending_the_process
from yt8m_kit.machine.last_words import held_stderr
from yt8m_kit.machine.spinner import spinning

NAMES = {"tensorflow": "TensorFlow", "jax": "JAX"}
BACKENDS = tuple(NAMES)
DETERMINISTIC = "xla_gpu_deterministic_ops"  # without it sums on a GPU differ from run to run


def chosen() -> str:
    """The backend that start() takes where none is given: KERAS_BACKEND, or TensorFlow."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def start(backend: str | None = None) -> None:
    """Select `backend`, else KERAS_BACKEND, else TensorFlow; must run before anything imports keras.

    Raises UsageError for another backend, KitError if it is not installed, or does not run on this CPU.
    """
    selected = backend or chosen()
    check(selected)
    if not faulthandler.is_enabled():
        faulthandler.enable(2)  # where native code ends the process
    if not _is_verbose():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = selected
    with ending_the_process(), _no_collection(), _no_keras_json(), _waiting(selected):
        if selected == "tensorflow":
            _start_tensorflow()
            import keras  # noqa: F401
        else:
            _make_gpu_deterministic()
            _start_without_tensorflow()


def check(selected: str) -> None:
    """Raise UsageError for an unknown backend, KitError if it is not installed or this CPU is too old."""
    if selected not in BACKENDS:
        close = did_you_mean(selected, BACKENDS)
        raise UsageError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}; got {selected!r}.{close}")
    if find_spec(selected) is None:
        raise KitError(f"the backend {selected} is not installed; run: pip install {selected}")
    check_avx()


def _is_verbose() -> bool:
    """Whether the backend's own log is shown."""
    return os.environ.get("YT8M_VERBOSE") == "1"


def _waiting(selected: str) -> AbstractContextManager[None]:
    """Say that the backend starts, unless it has been started or shows its own log."""
    if "keras" in sys.modules or _is_verbose():
        return nullcontext()
    return spinning(f"starting {NAMES[selected]}")


@contextmanager
def _no_keras_json() -> Iterator[None]:
    """Give Keras an empty folder while it is imported; a keras.json may be of another project, or damaged."""
    with tempfile.TemporaryDirectory() as empty, _variable("KERAS_HOME", empty):
        yield


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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
    # TensorFlow Lite's converter imports JAX if it is installed, a fifth of TensorFlow's start-up.
    held = nullcontext() if _is_verbose() else held_stderr("TensorFlow")
    with held, _missing("jax"):
        import tensorflow as tf

        # The graph rewriter's arithmetic stage orders sums by its nodes' addresses: results differ in
        # the last bit between processes, so that a resumed run would not be bit-identical.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
        tf.constant(0)


def _make_gpu_deterministic() -> None:
    """Have XLA take kernels that sum in a fixed order, unless XLA_FLAGS has a say in it."""
    given = os.environ.get("XLA_FLAGS", "")
    if DETERMINISTIC not in given:
        os.environ["XLA_FLAGS"] = f"{given} --{DETERMINISTIC}=true".strip()


def _start_without_tensorflow() -> None:
    """Import Keras, which looks for TensorFlow when a seed is first set, to seed that as well."""
    with _missing("tensorflow"):
        import keras

        keras.utils.set_random_seed(0)


@contextmanager
def _missing(module: str) -> Iterator[None]:
    """Hide a module from imports, unless it is already imported."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
