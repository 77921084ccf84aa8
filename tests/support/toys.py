"""Toys of shipped recipes: the same members, averages, teachers, ensembles and codecs, small sizes."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import pytest

from yt8m_kit import recipe as recipes
from yt8m_kit.dataset import YOUTUBE8M_2018
from yt8m_kit.quantization.sizes import graph_overhead, stored, total_bytes
from yt8m_kit.recipe import SIZE_LIMIT, Ema, Ensemble, Member, Range, Recipe

VIDEOS, BATCH, STEPS = 64, 16, 8  # of the train split, of a batch, of a training
CLASSES, FRAMES = 50, 20  # a quarter of the synthesized videos are shorter
DATASET = replace(YOUTUBE8M_2018, classes=CLASSES, max_frames=FRAMES)
PUBLISHED_VIDEOS, PUBLISHED_FRAMES = 3_888_919, 300  # of YouTube-8M's train split
WIDTHS = {"clusters": 32, "hidden": 64, "units": 64, "bidirectional": 64, "width": 64}  # divided by
LEAST = 4  # of any width; two clusters are left for audio
MOST = 9  # members of an ensemble; those of a grid are of one kind


@cache
def toy(name: str) -> Recipe:
    """The toy version of a shipped recipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("YT8M_RECIPES", raising=False)
        real = recipes.load(name)
    members = {name: _member(member) for name, member in real.members.items()}
    small = replace(real, dataset=DATASET, members=members)
    ensembles = {name: _ensemble(each, real, small) for name, each in real.ensembles.items()}
    return replace(small, ensembles=ensembles)


def _member(member: Member) -> Member:
    """Train for STEPS; scale everything counted in steps or examples in proportion."""
    steps = member.steps or (member.epochs or 0) * PUBLISHED_VIDEOS / member.batch_size
    share = STEPS / steps
    return replace(
        member,
        hyperparameters=_narrow(member.family, member.hyperparameters),
        batch_size=BATCH,
        steps=STEPS if member.steps else None,
        epochs=STEPS * BATCH / VIDEOS if member.epochs else None,
        decay_examples=max(1, round(member.decay_examples * share * BATCH / member.batch_size)),
        checkpoint_steps=max(1, round(member.checkpoint_steps * share)),
        average=_average(member.average, share, member.batch_size),
        statistics_batches=min(member.statistics_batches, 4),
        published_parameters=None,
        published_mib={},
    )


def _average(average: Range | Ema | None, share: float, batch_size: int) -> Range | Ema | None:
    """The same average over the same fraction of the training."""
    if isinstance(average, Range):
        return replace(average, first=round(average.first * share), last=round(average.last * share))
    if isinstance(average, Ema):
        steps = average.steps_of(PUBLISHED_VIDEOS, batch_size)
        short = max(1, round(steps * share))
        gamma = min(0.5, average.gamma * steps / short)
        return replace(average, steps=short, epochs=None, gamma=gamma)
    return None


def _narrow(family: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters, defaults included, with widths divided and draws in proportion."""
    defaults = inspect.signature(import_module(f"yt8m_kit.models.{family}").build).parameters
    narrow = dict(given)
    for name in defaults:
        value = given.get(name, defaults[name].default)
        if name in WIDTHS and value:
            narrow[name] = max(LEAST, value // WIDTHS[name])
        if name == "draws" and value:
            narrow[name] = max(LEAST, value * FRAMES // PUBLISHED_FRAMES)
    return narrow


def _ensemble(ensemble: Ensemble, real: Recipe, small: Recipe) -> Ensemble:
    """Scale the limit, so that the same share of the members fits, or does not, as in the real ensemble.

    Of more than MOST members, every third stays.
    """
    members = ensemble.members[:: 3 if len(ensemble.members) > MOST else 1]
    of_real = total_bytes(stored(real, ensemble.members, ensemble.codec))
    of_small = total_bytes(stored(small, members, ensemble.codec))
    limit = ensemble.limit * of_small // of_real + len(members) * graph_overhead(ensemble.rounds)
    return replace(ensemble, members=members, limit=min(limit, SIZE_LIMIT))
