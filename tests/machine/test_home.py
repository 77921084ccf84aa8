"""~ in folders: as arguments, in variables, and where there is no home folder."""

import os

import pytest

from yt8m_kit import recipe
from yt8m_kit.cli.main import main
from yt8m_kit.cli.places import data_place, runs_place
from yt8m_kit.submission.kaggle.config_folder import prepare_config_folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's home folder; another one is the current folder."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    for name in ("KAGGLE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def test_an_argument_may_begin_with_the_home_folder(home):
    assert main(["synthesize", "~/set", "--train=2", "--validate=2", "--test=2"]) == 0
    assert (home / "set" / "manifest.json").exists()
    assert not list((home.parent / "here").iterdir())


def test_variables_may_begin_with_the_home_folder(home, monkeypatch):
    for name in ("DATA", "RUNS", "RECIPES"):
        monkeypatch.setenv(f"YT8M_{name}", f"~/{name.lower()}")
    assert data_place(None, "demo") == home / "data"
    assert runs_place(None) == home / "runs"
    assert recipe.folder() == home / "recipes"


def test_an_unknown_home_folder_is_one_line(home, capsys):
    assert main(["report", "demo", "--runs=~no_such_user/runs"]) == 2
    assert "'~no_such_user/runs' begins with a home folder that is not known" in capsys.readouterr().err


def test_kaggles_folder_may_begin_with_the_home_folder(home, monkeypatch):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", "~/kaggle")
    prepare_config_folder()
    assert os.environ["KAGGLE_CONFIG_DIR"] == str(home / "kaggle")
    assert (home / "kaggle").is_dir()


@pytest.mark.parametrize("text", ["/dev/null", "/proc/nowhere"])
def test_a_home_folder_that_cannot_be_written_costs_a_warning(home, monkeypatch, capsys, text):
    monkeypatch.setenv("HOME", text)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", "")
    prepare_config_folder()
    assert f"warning: cannot make Kaggle's {text}/.config/kaggle" in capsys.readouterr().err
    assert os.access(os.environ["KAGGLE_CONFIG_DIR"], os.W_OK)


def test_a_kaggle_folder_that_cannot_be_made_is_named(home, monkeypatch, capsys):
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", "/dev/null/kaggle")
    assert main(["leaderboard", "--kaggle"]) == 2
    assert "KAGGLE_CONFIG_DIR: cannot make /dev/null/kaggle: Not a directory." in capsys.readouterr().err
