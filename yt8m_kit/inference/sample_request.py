"""What `yt8m sample` is asked for, checked without Keras."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.selection import Selection, select_ids
from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Member
from yt8m_kit.run import Experiment


@dataclass(frozen=True)
class SampleRequest:
    """Videos of a split whose frames a member's model draws.

    name, member: the member, with the seed that was asked for. selection: the videos. epochs: draws of each
    video in training. asked: how videos and epochs were asked for, as JSON values.
    """

    experiment: Experiment
    name: str
    member: Member
    split: str
    selection: Selection
    epochs: int
    asked: Mapping[str, Any]


def sample_request(
    experiment: Experiment,
    name: str,
    split: str,
    *,
    videos: str | None = None,
    count: int | None = None,
    epochs: int = 1,
    seed: int | None = None,
) -> SampleRequest:
    """Check a request and find its videos: ids separated by commas, or the first `count` (None: all).

    Raises UsageError for an unknown member or video, a missing split, and for numbers out of range.
    """
    member = experiment.recipe.member(name)
    wrong = [
        f"--{option} must be at least {least}; got {value}."
        for option, value, least in (("count", count, 1), ("epochs", epochs, 1), ("seed", seed, 0))
        if value is not None and value < least
    ]
    if videos is not None and count is not None:
        wrong.append(f"--videos and --count exclude each other; got --videos={videos} --count={count}.")
    ids = list(dict.fromkeys(videos.split(","))) if videos is not None else None
    if ids is not None and "" in ids:
        wrong.append(f"--videos must be ids separated by commas; got {videos!r}.")
    if wrong:
        raise UsageError(" ".join(wrong))
    paths = splits.find(experiment.data, split)
    selection = select_ids(paths, experiment.recipe.dataset.id_keys, ids) if ids else Selection(paths, count)
    if seed is not None:
        member = replace(member, hyperparameters={**member.hyperparameters, "seed": seed})
    asked = {"videos": ids or "all", "count": count or "all", "epochs": epochs}
    return SampleRequest(experiment, name, member, split, selection, epochs, asked)
