"""Sources of Kaggle credentials, their precedence, and the messages for unusable ones."""

import json
import sys

import pytest

from tests.fakes.kaggle_server import KEY, TOKEN, USER

GOOD = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}
LEGACY = json.dumps({"username": USER, "key": KEY})


def oauth(expires):
    names = {"refresh_token": "r", "access_token": TOKEN, "username": USER}
    return json.dumps(names | {"access_token_expiration": expires})


@pytest.mark.parametrize(
    ("files", "variables", "source"),
    [
        ({"kaggle.json": LEGACY}, {}, "~/.kaggle/kaggle.json"),
        ({"kaggle.json": LEGACY}, {"KAGGLE_USERNAME": USER}, "KAGGLE_USERNAME and ~/.kaggle/kaggle.json"),
        ({"kaggle.json": LEGACY}, GOOD, "KAGGLE_USERNAME and KAGGLE_KEY (overrides ~/.kaggle/kaggle.json)"),
        ({"kaggle.json": "damaged"}, GOOD,
         "KAGGLE_USERNAME and KAGGLE_KEY (overrides ~/.kaggle/kaggle.json)"),
        ({"elsewhere/kaggle.json": LEGACY}, {"KAGGLE_CONFIG_DIR": "~/.kaggle/elsewhere"},
         "~/.kaggle/elsewhere/kaggle.json"),
        ({"access_token": TOKEN, "kaggle.json": LEGACY}, {},
         "~/.kaggle/access_token (overrides ~/.kaggle/kaggle.json)"),
        ({"access_token.txt": TOKEN}, {}, "~/.kaggle/access_token.txt"),
        ({"access_token": "another"}, {"KAGGLE_API_TOKEN": TOKEN},
         "KAGGLE_API_TOKEN (overrides ~/.kaggle/access_token)"),
        ({"mine": TOKEN}, {"KAGGLE_API_TOKEN": "~/.kaggle/mine"}, "KAGGLE_API_TOKEN"),
        ({"credentials.json": oauth("2999-01-01T00:00:00+00:00")}, {}, "~/.kaggle/credentials.json"),
    ],
)  # fmt: skip
def test_where_credentials_come_from(kaggle, entrant, command, files, variables, source):
    folder = entrant.config.parent
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    home = {name: value.replace("~", str(entrant.home)) for name, value in variables.items()}
    code, _, err = command(entrant.words("--dry_run"), **home)
    assert code == 0, err
    assert f"credentials: {source}\n" in err.replace(str(entrant.home), "~")
    assert "chmod" not in err
    assert kaggle.steps().count("auth") == ("token" in source.lower())


@pytest.mark.parametrize(("xdg", "folder"), [("", ".config"), ("elsewhere", "elsewhere")])
def test_kaggle_json_in_the_xdg_folder(kaggle, entrant, command, xdg, folder):
    """Used if there is no ~/.kaggle, else ignored, as the kaggle package does."""
    config = entrant.home / folder / "kaggle" / "kaggle.json"
    config.parent.mkdir(parents=True)
    config.write_text(LEGACY)
    config.chmod(0o600)
    variables = {"XDG_CONFIG_HOME": str(entrant.home / xdg)} if xdg else {}
    code, _, err = command(entrant.words("--dry_run"), **variables)
    assert code == 3
    assert f"{config} is ignored, as {entrant.home}/.kaggle exists" in err.splitlines()[-1]
    entrant.config.parent.rmdir()
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
        del sys.modules[name]  # a new process finds its folder anew
    code, _, err = command(entrant.words("--dry_run"), **variables)
    assert code == 0, err
    assert f"credentials: {config}\n" in err


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        ("", {"KAGGLE_API_TOKEN": "x" * 300}, "KAGGLE_API_TOKEN contains no readable token (OSError)"),
        ("", {"KAGGLE_USERNAME": USER}, "KAGGLE_USERNAME is set without KAGGLE_KEY"),
        ("", {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": ""}, "KAGGLE_KEY is set but empty"),
        ("[]", {}, 'kaggle.json must hold {"username": ..., "key": ...}'),
        ('{"username": "someone", "key": 7}', {}, 'kaggle.json has no "key"'),
    ],
)
def test_credentials_that_cannot_be_used(kaggle, entrant, command, text, variables, message):
    if text:
        entrant.config.write_text(text)
    code, _, err = command(entrant.words(), **variables)
    assert code == 3
    assert message in err.splitlines()[-1]
    assert "x" * 300 not in err
    assert not kaggle.seen


def test_a_key_that_others_can_read(kaggle, entrant, command):
    entrant.config.write_text(LEGACY)
    entrant.config.chmod(0o644)
    code, _, err = command(entrant.words("--dry_run"))
    assert code == 0
    assert f"warning: other users can read {entrant.config}; chmod 600 {entrant.config}\n" in err
