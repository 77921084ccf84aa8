"""The table of scores belongs to the folder of recipes."""

from yt8m_kit.cli.main import main


def test_without_a_folder_of_recipes_nothing_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YT8M_RECIPES", "submissions")
    assert main(["leaderboard"]) == 2
    assert "no folder of recipes submissions" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
