"""Keras' backend: chosen before Keras is imported, TensorFlow started quietly and made reproducible."""

import os
import sys
import tempfile


def start(backend: str | None = None) -> None:
    """Use `backend`, or KERAS_BACKEND, or TensorFlow; must run before anything imports keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        _start_tensorflow()


def _start_tensorflow() -> None:
    """Import TensorFlow and let it find its devices; what it writes to stderr is shown only if that fails.

    Its native code writes some lines straight to the file descriptor, whatever the log level.
    """
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
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
