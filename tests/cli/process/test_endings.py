"""How a command line ends: one line, its exit code, and a log file of an unexpected error."""

import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.cli.process.fault_log import masked
from yt8m_kit.data.download import download

ROOT = Path(__file__).parents[3]


def failing(error):
    def run(*_, **__):
        raise error

    return run


@pytest.fixture
def fail(monkeypatch, tmp_path, capsys):
    """Runs a download that fails for the given reason: exit code and message."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run(error):
        monkeypatch.setattr(download, "sources", failing(error))
        code = main(["download", "--split=train", "--urls=https://me:pass@host/x"])
        out, err = capsys.readouterr()
        assert not out
        assert err.count("\n") == 1
        return code, err

    return run


def test_an_unexpected_error_is_a_line_and_a_log_file(fail, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLE_KEY", "swordfish")
    code, said = fail(ValueError("two\nlines of swordfish"))
    assert code == 1
    (log,) = tmp_path.glob("yt8m-fault-*.log")
    assert said == (f"yt8m: a fault of the kit: ValueError: two lines of ***. Please report it with {log}.\n")
    text = log.read_text(encoding="utf-8")
    assert text.startswith("command: yt8m download --split=train --urls=https://***@host/x\n")
    assert re.search(r"Traceback .*test_endings.py.*ValueError: two\nlines of \*\*\*", text, re.DOTALL)
    assert "tensorflow 2" in text
    assert "swordfish" not in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_file_that_cannot_be_written(fail, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    code, said = fail(ValueError("x"))
    assert code == 1
    assert "ValueError: x. Please report it. (No log file: No such file or directory.)" in said


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command resumes."),
        (MemoryError(), 1, "out of memory. Take a smaller batch_size"),
        (PermissionError(13, "Permission denied", "weights"), 1, "weights: Permission denied."),
    ],
)
def test_known_endings(error, code, message, fail):
    found, said = fail(error)
    assert found == code
    assert said.startswith(f"yt8m: {message}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:secret@host/path", "https://***@host/path"),
        ("GET https://host/a?X-Signature=abc&b=c now", "GET https://host/a?*** now"),
        ("key 0123456789abcdef0123456789abcdef", "key ***"),
        ("token KGAT_abc123", "token ***"),
        ("value of swordfish", "value of ***"),
        ("a plain text", "a plain text"),
    ],
)
def test_secrets_are_masked(text, shown):
    assert masked(text, {"MY_TOKEN": "swordfish", "PLAIN": "a plain", "SHORT_KEY": "a"}) == shown


def command(*words, path=(), **settings):
    return subprocess.Popen(
        [sys.executable, "-m", "yt8m_kit.cli", *words],
        env={"PYTHONPATH": ":".join([*map(str, path), str(ROOT)])},
        **settings,
    )


def test_a_closed_pipe_is_no_error():
    with command("recipes", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.wait() == 141
        assert not process.stderr.read()


@pytest.mark.parametrize("module", ["dataclasses", "fire"])
def test_interrupted_while_modules_are_imported(module, tmp_path):
    text = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
    with command("recipes", path=[tmp_path], stderr=subprocess.PIPE) as process:
        assert process.stderr.read() == b"\nyt8m: interrupted; the same command resumes.\n"
        assert process.wait() == 130
