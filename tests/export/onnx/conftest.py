"""What the tests of ONNX models share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

READER = Path(__file__).parents[2] / "fakes" / "onnx_reader.py"
REASON = "onnx, onnxruntime or tf2onnx is not installed: pip install -e .[onnx]"


@pytest.fixture(autouse=True)
def session():
    """ONNX Runtime's class of a loaded model; where the extra is not installed, the tests skip."""
    pytest.importorskip("tf2onnx", reason=REASON)
    runtime = pytest.importorskip("onnxruntime", reason=REASON)
    return lambda path: runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture
def elsewhere(tmp_path):
    """Runs a model in a process of its own, without the kit; returns its arrays."""

    def run(model, frames, num_frames):
        np.savez(tmp_path / "videos.npz", frames=frames, num_frames=num_frames)
        words = [sys.executable, READER, model, tmp_path / "videos.npz", tmp_path / "out.npz"]
        environment = os.environ | {"PYTHONPATH": ""}
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(np.load(tmp_path / "out.npz"))

    return run
