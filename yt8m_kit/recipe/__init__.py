"""Recipes: Python files in submissions/ that export RECIPE, with members to train and ensembles to blend."""

from yt8m_kit.recipe.averages import Ema, Range
from yt8m_kit.recipe.ensemble import SIZE_LIMIT, Ensemble
from yt8m_kit.recipe.files import folder, load, names
from yt8m_kit.recipe.member import Member
from yt8m_kit.recipe.recipe import Recipe
from yt8m_kit.recipe.submission import Submission

__all__ = [
    "SIZE_LIMIT",
    "Ema",
    "Ensemble",
    "Member",
    "Range",
    "Recipe",
    "Submission",
    "folder",
    "load",
    "names",
]
