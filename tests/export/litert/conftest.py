"""What the tests of LiteRT models share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PHONE = Path(__file__).parents[2] / "fakes" / "litert_phone.py"


@pytest.fixture(autouse=True)
def interpreter():
    """LiteRT's interpreter; where it is not installed, the tests skip."""
    return pytest.importorskip(
        "ai_edge_litert.interpreter", reason="ai-edge-litert is not installed: pip install -e .[litert]"
    ).Interpreter


@pytest.fixture
def on_phone(tmp_path):
    """Runs a model in a process of its own, without the kit; returns its arrays."""

    def run(model, frames, num_frames):
        np.savez(tmp_path / "videos.npz", frames=frames, num_frames=num_frames)
        words = [sys.executable, PHONE, model, tmp_path / "videos.npz", tmp_path / "out.npz"]
        environment = os.environ | {"PYTHONPATH": ""}
        done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(np.load(tmp_path / "out.npz"))

    return run
