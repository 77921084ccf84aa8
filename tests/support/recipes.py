"""Folder of the tests' recipes."""

from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes"
