"""Members that compute little, for benchmarks/training/one_read.py: what they take is mostly reading."""

from dataclasses import replace

from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.recipe import Member, Recipe

FIRST = Member("frame_logistic", batch_size=64, steps=64, statistics_batches=0)
MEMBERS = {f"m{number}": replace(FIRST, learning_rate=2e-4 * number) for number in (1, 2, 3, 4)}

RECIPE = Recipe(
    name="one_read",
    description="small members, to measure reading with",
    dataset=YOUTUBE8M_2018,
    members=MEMBERS,
)
