"""A SOCKS proxy without PySocks is one line that names its variable."""

import importlib.util

import pytest

from yt8m_kit.cli.main import main


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="PySocks is installed")
@pytest.mark.parametrize("words", [["download", "--split=train"], ["leaderboard", "--kaggle"]])
def test_a_socks_proxy_is_named_at_once(words, tmp_path, monkeypatch, capsys):
    for name in (
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "https_proxy",
        "http_proxy",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:9")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_" + "0" * 32)
    assert main([*words, *([f"--data={tmp_path}"] if words[0] == "download" else [])]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("yt8m: the proxy in ALL_PROXY is a SOCKS proxy, which needs the package PySocks")
