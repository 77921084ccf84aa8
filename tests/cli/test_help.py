"""Help of each verb: plain words, every argument with its meaning, 80 columns."""

import inspect

import pytest

from yt8m_kit.cli.help.text import WIDTH
from yt8m_kit.cli.main import main, verbs
from yt8m_kit.pipeline.goals import GOALS


def shown(verb, capsys):
    assert main([verb, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("verb", verbs())
def test_every_argument_is_described_in_plain_words(verb, capsys):
    text = shown(verb, capsys)
    assert max(map(len, text.splitlines())) <= WIDTH
    for word in ("Optional", "pathlib", "None", "Literal", "bool", "<class"):
        assert word not in text
    _, _, arguments = text.partition("\n\nArguments:\n" if "Arguments:" in text else "\n\nOptions:\n")
    for name, parameter in inspect.signature(verbs()[verb]).parameters.items():
        left = f"--{name}" if parameter.kind is parameter.KEYWORD_ONLY else name.upper()
        lines = [line.strip() for line in arguments.splitlines()]
        found = [n for n, line in enumerate(lines) if line.partition("=")[0].partition(" ")[0] == left]
        assert found, left
        meaning = lines[found[0]].partition(" ")[2] or lines[found[0] + 1]
        assert meaning.strip(" ()"), f"{left} has no meaning"
        assert not meaning.strip().startswith("("), f"{left} has no meaning"


@pytest.mark.parametrize("words", [["predict", "--help"], ["predict", "-h"], ["predict", "demo", "--help"]])
def test_choices_defaults_and_types_are_listed(words, capsys):
    assert main(words) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--split=SPLIT the part of the data set (one of train, validate, test; default test)" in text
    assert "--data=FOLDER the records; else $YT8M_DATA, else data/DATASET" in text
    assert "--limit_videos=NUMBER a small trial: the first records of each split" in text
    assert "(on or off; default off)" in text


def test_paths_that_are_files_are_called_so(capsys):
    text = " ".join(shown("convert", capsys).split())
    assert "--labels=FILE CSV of lines VIDEO,LABEL;LABEL" in text
    assert "SOURCE file or folder: the records" in text
    assert "--videos=NUMBER videos of a shard (default 1000)" in text


def test_help_of_run_lists_the_verbs_that_to_accepts(capsys):
    assert f"one of {', '.join(GOALS)}" in " ".join(shown("run", capsys).split())
