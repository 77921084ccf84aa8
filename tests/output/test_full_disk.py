"""Writes that fail name their file, in a real process whose files may not grow beyond a size."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMITED = """
    import resource, sys
    from pathlib import Path
    place, limit = Path(sys.argv[1]), int(sys.argv[2])
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
"""


def run(script, place, limit):
    """The stderr of a script; what follows `limited()` in it writes no file beyond `limit` bytes."""
    code = textwrap.dedent(LIMITED) + textwrap.dedent(script)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, place, str(limit)],
        env=environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1, done
    return done.stderr


def test_the_lock_is_named(tmp_path):
    stderr = run(
        """
        from yt8m_kit.run import Run
        limited()
        with Run(place).alone(("train", "recipe", "member")):
            pass
        """,
        tmp_path,
        limit=0,
    )
    assert f"KitError: cannot write {tmp_path / '.lock'}: File too large" in stderr.splitlines()[-1]
    assert "Exception ignored" not in stderr


@pytest.mark.parametrize(
    ("limit", "figures", "named"),
    [
        (0, {}, "metrics.jsonl"),
        (100, {}, "metrics.jsonl"),
        (200, {"loss": 1.0, "x": 2.0}, "metrics.jsonl"),
    ],
)
def test_the_file_of_the_training_log_is_named(tmp_path, limit, figures, named):
    """A row has 59 bytes without figures, 81 with these."""
    stderr = run(
        f"""
        from yt8m_kit.training.log import TrainingLog
        limited()
        log = TrainingLog(place / "metrics.jsonl", "checkpoints", 0)
        for step in (1, 2, 3):
            log.append(step, {figures})
        """,
        tmp_path,
        limit,
    )
    assert f"KitError: cannot write {tmp_path / named}: File too large" in stderr.splitlines()[-1]
    assert "Exception ignored" not in stderr


def test_weights_do_not_end_the_process(tmp_path):
    """HDF5 itself ends in a segmentation fault."""
    stderr = run(
        """
        from yt8m_kit import backend
        backend.start()
        import keras
        from yt8m_kit.inference.member_model import save_weights
        from yt8m_kit.output.files import replacing
        model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(100), keras.layers.Dense(100)])
        limited()
        with replacing(place / "trained.weights.h5") as temporary:
            save_weights(model, temporary)
        """,
        tmp_path,
        limit=20_000,
    )
    last = stderr.splitlines()[-1]
    assert f"KitError: cannot write {tmp_path / 'trained.weights.h5'}: File too large" in last
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_three_stages_on_a_disk_that_fills_lose_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "tools.full_disk", "--only=convert,distill,predict", "--levels=2,4"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "WRONG" not in done.stdout
