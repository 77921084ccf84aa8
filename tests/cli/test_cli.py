"""The command line: misuse is one line and exit code 2, and nothing runs."""

import pytest

import yt8m_kit
from yt8m_kit.cli.main import main, verbs


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{yt8m_kit.__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb_with_its_arguments(words, capsys):
    assert main(words) == 0
    out = capsys.readouterr().out
    for verb in verbs():
        assert f"  yt8m {verb}" in out
    assert "yt8m train RECIPE MEMBER [MORE ...] [--data=DATA] [--runs=RUNS] [--strict]" in out


@pytest.mark.parametrize("verb", verbs())
def test_help_of_a_verb(verb, capsys):
    assert main([verb, "--help"]) == 0
    out, err = capsys.readouterr()
    assert f"yt8m {verb}" in out
    assert not err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "no verb 'trian'; there are: recipes, members, ensembles, stages, check"),
        (["train"], "the argument RECIPE is missing. Usage: yt8m train RECIPE MEMBER"),
        (
            ["train", "demo", "netvlad", "--stict"],
            "train has no flag --stict. Did you mean '--strict'? Usage: yt8m train",
        ),
        (["train", "demo", "netvlad", "extra"], "no member 'extra' in recipe demo"),
        (["average", "demo", "netvlad", "extra"], "unexpected argument 'extra'. Usage: yt8m average"),
        (["train", "demo", "netvlad", "--strict=maybe"], "--strict takes no value, or true or false"),
        (["train", "demo", "netvlad", "--data"], "--data needs a value"),
        (["train", "demo", "nope"], "no member 'nope' in recipe demo; members: frame_logistic"),
        (["train", "nope", "netvlad"], "no recipe 'nope'"),
        (["train", "demo", "netvlad", "--data=/nowhere"], "no train shards"),
        (["evaluate", "demo", "netvlad", "--split=tset"], "--split must be one of train, validate, test"),
        (["synthesize", "x", "--train=many"], "--train must be a whole number; got 'many'"),
        (["members", "demo", "blend", "run"], "unexpected argument 'run'"),
        (["average", "demo", "netvlad"], "run: yt8m train demo netvlad"),
        (["export", "demo", "blend"], "run: yt8m ensemble demo blend"),
        (["predict", "demo", "blend"], "run: yt8m export demo blend"),
        (["synthesize", "x", "--seed=-1"], "--seed must be a whole number (at least 0); got -1"),
        (["show", "demo", "blend", "--videos=0"], "--videos must be a whole number (at least 1); got 0"),
        (["run", "demo", "--to=exprot"], "got 'exprot'. Did you mean 'export'?"),
        (["submit", "demo", "blend", "--to=moon"], "--to must be one of local, kaggle; got 'moon'"),
        (
            ["extract", "videos", "out"],
            "--recipe must be given. Usage: yt8m extract VIDEOS OUT --recipe=RECIPE ",
        ),
        (["report", "demo"], "nothing of recipe demo was evaluated"),
    ],
)
def test_misuse_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("YT8M_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("YT8M_DATA", raising=False)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert not out
    assert message in err
    assert err.count("\n") == 1
    assert err.startswith("yt8m: ")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".h5", ".csv", ".tfrecord")]


def test_arguments_are_not_parsed_as_literals(tmp_path, monkeypatch, capsys):
    """Fire alone would read 1.10 as 1.1 and a#b as a."""
    monkeypatch.chdir(tmp_path)
    for name in ("1.10", "a#b", "007", "1e3", "None", "[1]"):
        assert main(["members", name]) == 2
        assert f"no recipe {name!r}" in capsys.readouterr().err


def test_members_and_recipes(capsys):
    assert main(["members", "demo", "blend"]) == 0
    assert capsys.readouterr().out.split() == ["frame_logistic", "dbof", "netvlad"]
    assert main(["members", "demo", "netvlad"]) == 0
    assert capsys.readouterr().out.split() == ["netvlad"]
    assert main(["recipes"]) == 0
    assert "demo: the synthesized set" in capsys.readouterr().out


def test_an_os_error_is_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "demo").write_text("a file where a folder must go")
    monkeypatch.setenv("YT8M_RUNS", str(tmp_path))
    assert main(["synthesize", str(tmp_path / "demo" / "x")]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "Not a directory" in err
