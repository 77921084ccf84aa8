"""Mistakes that `yt8m serve` finds before TensorFlow is imported: one line, and an exit code."""

import shutil
import socket
import sys

import pytest

from tests.support.recipes import change_a_rate
from yt8m_kit.cli.main import main

pytestmark = pytest.mark.usefixtures("tiny_recipes")


def refused(capsys, words, code):
    assert main(["serve", "tiny", *words]) == code
    return capsys.readouterr().err.splitlines()[-1]


def test_a_graph_that_is_missing(tmp_path, capsys):
    said = refused(capsys, ["blend", f"--runs={tmp_path}"], 2)
    assert said == f"yt8m: {tmp_path}/tiny/blend/graph is missing; run: yt8m export tiny blend"


def test_a_stale_graph(served_runs, tmp_path, monkeypatch, capsys):
    change_a_rate(tmp_path, monkeypatch)
    assert "is stale" in refused(capsys, ["blend", f"--runs={served_runs}"], 2)


def test_a_damaged_graph(served_runs, tmp_path, capsys):
    shutil.copytree(served_runs, tmp_path / "runs")
    with (tmp_path / "runs/tiny/blend/graph/saved_model.pb").open("r+b") as file:
        file.write(b"damaged")
    assert "is damaged" in refused(capsys, ["blend", f"--runs={tmp_path / 'runs'}"], 1)


def test_a_port_that_is_taken(served_runs, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(capsys, ["blend", f"--runs={served_runs}", f"--port={port}"], 1)
    assert said.startswith(f"yt8m: cannot listen at 127.0.0.1, port {port}: Address already in use.")


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_no_port(port, capsys):
    assert "--port must be" in refused(capsys, ["blend", f"--port={port}"], 2)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_another_machine(host, served_runs, capsys):
    said = refused(capsys, ["blend", f"--runs={served_runs}", f"--host={host}"], 2)
    assert "--host must be an address of this machine" in said


def test_the_extra_is_not_installed(served_runs, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = refused(capsys, ["blend", f"--runs={served_runs}"], 2)
    assert "pip install 'yt8m-kit[serve]'" in said
