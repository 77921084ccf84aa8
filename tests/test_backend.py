"""Start of Keras' backend, first and repeated."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from yt8m_kit import backend
from yt8m_kit.errors import KitError, UsageError


def test_repeated_start_freezes_no_garbage():
    backend.start()
    frozen = gc.get_freeze_count()
    backend.start()
    assert gc.get_freeze_count() == frozen
    assert gc.isenabled()


@pytest.mark.parametrize(("name", "close"), [("torch", ""), ("tensroflow", " Did you mean 'tensorflow'?")])
def test_another_backend_is_refused(name, close, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", name)
    with pytest.raises(UsageError) as raised:
        backend.start()
    assert str(raised.value) == f"KERAS_BACKEND must be one of tensorflow, jax; got {name!r}.{close}"


def test_a_backend_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    with pytest.raises(KitError, match="the backend jax is not installed; run: pip install"):
        backend.start("jax")


@pytest.mark.parametrize("text", ['{"floatx": "float64", "epsilon": 0.1}', '{"floatx": "float8"}', "["])
def test_keras_json_has_no_effect(text, tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(text, encoding="utf-8")
    start = "from yt8m_kit import backend; backend.start()"
    script = f"{start}; from keras import config; print(config.floatx(), config.epsilon())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout == b"float32 1e-07\n"


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("", "--xla_gpu_deterministic_ops=true"),
        (
            "--xla_cpu_enable_fast_math=false",
            "--xla_cpu_enable_fast_math=false --xla_gpu_deterministic_ops=true",
        ),
        ("--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=false"),
    ],
)
def test_xla_is_deterministic_on_gpus_unless_told_otherwise(given, seen):
    script = "import os; from yt8m_kit import backend; backend.start('jax'); print(os.environ['XLA_FLAGS'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"XLA_FLAGS": given, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == f"{seen}\n"
