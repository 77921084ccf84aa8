"""Where the recipes of the tests lie."""

from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
