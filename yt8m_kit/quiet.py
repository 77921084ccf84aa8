"""TensorFlow's start without the lines it writes about itself."""

import os
import sys
import tempfile


def start_tensorflow() -> None:
    """Import TensorFlow and let it find its devices; what it writes to stderr is shown only if that fails.

    Its native code writes some lines straight to the file descriptor, whatever the log level.
    """
    with tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            import tensorflow as tf

            tf.constant(0)
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
