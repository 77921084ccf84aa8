"""Recipe files: which there are, and the recipe that one exports."""

import importlib.util
from pathlib import Path
from types import ModuleType

from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.machine.home import folder_of
from yt8m_kit.recipe.mistakes import naming_the_line
from yt8m_kit.recipe.recipe import Recipe


def folder() -> Path:
    """The folder of recipes: YT8M_RECIPES, else submissions/ next to the package or in the current folder."""
    bundled = Path(__file__).resolve().parents[2] / "submissions"
    return folder_of("YT8M_RECIPES", bundled if bundled.is_dir() else Path("submissions"))


def names() -> list[str]:
    """Names of all recipes, sorted. Raises UsageError if there is no folder of recipes."""
    if not folder().is_dir():
        raise UsageError(f"no folder {folder()} with recipes; set YT8M_RECIPES to the folder of yours.")
    return sorted(path.stem for path in folder().glob("[!_.]*.py"))


def load(name: str) -> Recipe:
    """Load the recipe exported by submissions/NAME.py.

    Raises UsageError if there is no such recipe (listing those that exist), and with file and line for a
    mistake in it.
    """
    if name not in names():
        raise UsageError(
            f"no recipe {name!r} in {folder()}; there are: {', '.join(names()) or 'none'}. "
            f"Set YT8M_RECIPES for another folder.{did_you_mean(name, names())}"
        )
    path = folder() / f"{name}.py"
    recipe = getattr(_module(name, path), "RECIPE", None)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{path} must export RECIPE, a yt8m_kit.recipe.Recipe.")
    if recipe.name != name:
        raise UsageError(f"{path}: RECIPE.name must be {name!r}, the name of its file; got {recipe.name!r}.")
    return recipe


def _module(name: str, path: Path) -> ModuleType:
    module_spec = importlib.util.spec_from_file_location(f"recipe_{name}", path.absolute())
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    with naming_the_line(path):
        module_spec.loader.exec_module(module)
    return module
