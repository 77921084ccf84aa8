"""More classes, from weights of another recipe."""

from dataclasses import replace

from tests.recipes import chain
from yt8m_kit.recipe import Member, Recipe

RECIPE = Recipe(
    name="chain_700",
    description="for tests of initial weights of another recipe",
    dataset=replace(chain.RECIPE.dataset, name="chain_700", classes=9),
    members={
        "tsn": Member("tsn", {"hidden": 32}, steps=1, learning_rate=1e-9, initial="chain/tsn", batch_size=16)
    },
)
