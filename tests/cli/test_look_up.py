"""Names that a recipe does not have are found before the backend starts, by every verb."""

import inspect

import pytest

from yt8m_kit import backend
from yt8m_kit.cli.main import main, verbs

NAMES = {"member", "name", "ensemble", "teacher", "names"}
PARAMETERS = {verb: inspect.signature(function).parameters for verb, function in verbs().items()}
OF_A_RECIPE = [verb for verb, parameters in PARAMETERS.items() if "recipe" in parameters]
OF_A_NAME = [verb for verb in OF_A_RECIPE if NAMES & set(PARAMETERS[verb])]
FURTHER = {
    "convert": ["records", "out"],
    "extract": ["videos", "out"],
    "verify": ["--split=train"],
}  # words that these verbs need


@pytest.fixture(autouse=True)
def no_backend(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backend, "start", lambda _=None: pytest.fail("the backend was started"))


def words(verb: str, recipe: str, *names: str) -> list[str]:
    """A command line; the recipe is a flag where the verb has it after others."""
    is_flag = PARAMETERS[verb]["recipe"].kind is inspect.Parameter.KEYWORD_ONLY
    given = [f"--recipe={recipe}"] if is_flag else [recipe]
    return [verb, *FURTHER.get(verb, []), *given, *names]


def refusal(line: list[str], capsys) -> str:
    """What is said about a misuse."""
    assert main(line) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    return err


def test_most_verbs_take_a_recipe_and_a_name():
    assert len(OF_A_RECIPE) > 15
    assert {"train", "average", "sample", "distill", "ensemble", "export", "evaluate"} <= set(OF_A_NAME)


@pytest.mark.parametrize("verb", OF_A_RECIPE)
def test_an_unknown_recipe(verb, capsys):
    names = ["netvlad"] if verb in OF_A_NAME else []
    assert "no recipe 'dmeo'" in refusal(words(verb, "dmeo", *names), capsys)


@pytest.mark.parametrize("verb", OF_A_NAME)
def test_an_unknown_name(verb, capsys):
    assert "Did you mean 'netvlad'?" in refusal(words(verb, "demo", "netvald"), capsys)


@pytest.mark.parametrize("verb", OF_A_RECIPE)
def test_a_mistake_in_the_recipe(verb, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text("\nRECIPE = 1 / 0\n", encoding="utf-8")
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    names = ["netvlad"] if verb in OF_A_NAME else []
    assert "mine.py, line 2: ZeroDivisionError" in refusal(words(verb, "mine", *names), capsys)


def test_a_mistake_in_one_recipe_hides_no_other(tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.py").write_text("import yt8m_kti\n", encoding="utf-8")
    good = "from yt8m_kit.dataset import DEMO\nfrom yt8m_kit.recipe import Recipe\n"
    (tmp_path / "good.py").write_text(
        f"{good}RECIPE = Recipe('good', 'fine', DEMO, {{}})\n", encoding="utf-8"
    )
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path))
    assert main(["recipes"]) == 1
    out, err = capsys.readouterr()
    assert "bad.py, line 1: ModuleNotFoundError" in out
    assert "good: fine" in out
    assert err == "yt8m: recipes that cannot be loaded: bad.\n"
