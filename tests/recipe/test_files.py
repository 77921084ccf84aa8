"""Recipe files: a mistake in one is a line with its file and line number."""

import pytest

from yt8m_kit import recipe
from yt8m_kit.errors import UsageError

START = "from yt8m_kit.dataset import DEMO\nfrom yt8m_kit.recipe import Ensemble, Member, Recipe\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RECIPE = 3\n", "mine.py must export RECIPE"),
        ("x = 1\nRECIPE = Recipe(\n", r"mine.py, line 2: SyntaxError: '\(' was never closed"),
        ("\n\nimport no_such_module\n", "line 3: ModuleNotFoundError: No module named 'no_such_module'."),
        ("def one():\n    return 1 / 0\n\none()\n", "line 2: ZeroDivisionError: division by zero."),
        ("raise ValueError('two\\nlines')\n", "line 1: ValueError: two lines."),
        ("open('/no/such/file')\n", "line 1: FileNotFoundError: No such file or directory: /no/such/file."),
        ("import sys\nsys.exit('stopped')\n", "line 2: SystemExit: stopped."),
        (f"{START}ONE = Member(\n    'dbof',\n    stps=1,\n)\n", "line 3: Member has no setting 'stps'"),
        (f"{START}RECIPE = Recipe('other', '', DEMO, {{}})\n", "must be 'mine', the name of its file"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, message, folder):
    (folder / "mine.py").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as raised:
        recipe.load("mine")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_utf8(folder):
    (folder / "mine.py").write_bytes(b"NAME = '\xe9'\n")
    with pytest.raises(UsageError, match=r"mine.py.*: SyntaxError: \(unicode error\)"):
        recipe.load("mine")


def test_names_are_those_of_the_folder(folder):
    for name in ("mine.py", "_shared.py", ".mine.py", "results.csv"):
        (folder / name).touch()
    assert recipe.names() == ["mine"]


def test_a_missing_folder_is_named(folder, monkeypatch):
    monkeypatch.setenv("YT8M_RECIPES", str(folder / "nowhere"))
    with pytest.raises(UsageError, match=r"no folder .*nowhere with recipes; set YT8M_RECIPES"):
        recipe.names()
