"""What native code says on stderr when it ends the process is not lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(tmp_path, body):
    """Start a backend whose TensorFlow is a module with that body."""
    (tmp_path / "tensorflow.py").write_text(
        f"import os, signal\nos.write(2, b'compiled for AVX\\n')\n{body}\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "KERAS_BACKEND": "tensorflow"}
    code = "from yt8m_kit import backend; backend.start()"
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGILL, signal.SIGSEGV, signal.SIGKILL])
def test_the_last_words_of_an_aborted_import_are_shown(tmp_path, number):
    done = start(tmp_path, f"os.kill(os.getpid(), {int(number)})")
    assert done.returncode == -number
    lines = done.stderr.splitlines()
    assert lines[:2] == ["starting TensorFlow", "compiled for AVX"]
    assert lines[-1] == "yt8m: the process was ended while TensorFlow started."
    assert any(line.startswith("Fatal Python error") for line in lines) == (number != signal.SIGKILL)


def test_a_failed_import_shows_them_once(tmp_path):
    done = start(tmp_path, "raise ImportError('no libstdc++')")
    assert done.stderr.count("compiled for AVX") == 1
    assert "was ended" not in done.stderr
    assert done.stderr.splitlines()[-1] == "ImportError: no libstdc++"
