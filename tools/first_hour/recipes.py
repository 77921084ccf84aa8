"""Mistakes in a recipe."""

from tools.first_hour.case import Case

TITLE = "Recipes"
CASES: tuple[Case, ...] = ()
