"""Small trials: how a member is shortened, by formula."""

import pytest

from yt8m_kit.errors import UsageError
from yt8m_kit.recipe import Ema, Member, Range, load, names
from yt8m_kit.trial import Trial


def member(**settings) -> Member:
    return Member("frame_logistic", **{"steps": 1000} | settings)


def range_of(short: Member) -> Range:
    assert isinstance(short.average, Range)
    return short.average


def ema_of(short: Member) -> Ema:
    assert isinstance(short.average, Ema)
    return short.average


@pytest.mark.parametrize("steps", [1, 2, 7, 300, 1000, 5000])
@pytest.mark.parametrize("average", [Range(600, 1000), Range(0, 1000, searched=3), Range(990, 1000)])
def test_an_average_finds_checkpoints_whatever_the_steps(steps, average):
    short = Trial(steps=steps).shorten_member(member(average=average, checkpoint_steps=100))
    kept = range_of(short)
    assert (short.steps, short.epochs) == (steps, None)
    due = [s for s in range(1, steps + 1) if s % short.checkpoint_steps == 0 or s == steps]
    assert [s for s in due if kept.first <= s <= kept.last]
    if steps <= average.last:
        assert kept.last == steps
        assert kept.first == average.first * steps // average.last
        assert kept.searched == average.searched


def test_the_number_of_averaged_checkpoints_stays_the_same():
    """Ten checkpoints between 500 and 1000; a fifth of the steps has ten between 100 and 200."""
    short = Trial(steps=200).shorten_member(member(average=Range(500, 1000), checkpoint_steps=50))
    assert (range_of(short).first, range_of(short).last, short.checkpoint_steps) == (100, 200, 10)


def test_an_ema_stage_is_no_longer_than_the_trial():
    by_steps = Trial(steps=5).shorten_member(member(average=Ema(steps=200, gamma=0.1)))
    by_epochs = Trial(steps=5).shorten_member(member(average=Ema(epochs=2, gamma=0.1)))
    shorter = Trial(steps=5).shorten_member(member(average=Ema(steps=3)))
    assert [(ema_of(m).steps, ema_of(m).epochs) for m in (by_steps, by_epochs, shorter)] == [
        (5, None), (5, None), (3, None),
    ]  # fmt: skip
    assert ema_of(by_steps).gamma == 0.1


def test_fewer_videos_alone_keep_the_epochs_and_scale_their_average():
    """Ten epochs of 96 videos in batches of 32 are 30 steps."""
    given = Member("frame_logistic", batch_size=32, epochs=10, average=Range(400, 500), checkpoint_steps=25)
    short = Trial(limit_videos=96).shorten_member(given)
    assert (short.epochs, short.steps, short.statistics_batches) == (10, None, 60)
    assert (range_of(short).first, range_of(short).last, short.checkpoint_steps) == (24, 30, 2)
    whole = member(average=Range(400, 500), checkpoint_steps=100)
    assert Trial(limit_videos=96).shorten_member(whole).average == Range(400, 500)


def test_a_batch_keeps_its_parts():
    """A batch is divisible by the number of its parts."""
    short = Trial(batch_size=4).shorten_member(member(batch_size=96, accumulate=3))
    assert short.batch_size == 6


@pytest.mark.parametrize("name", names())
def test_every_recipe_can_be_shortened(name):
    short = Trial(steps=1, limit_videos=8, batch_size=4).shorten(load(name))
    assert {(m.steps, m.statistics_batches) for m in short.members.values()} == {(1, 1)}
    assert all(m.batch_size == 4 for m in short.members.values())


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"steps": 0}, "--steps must be at least 1; got 0."),
        ({"limit_videos": 1}, "--limit_videos must be at least 2; got 1."),
    ],
)
def test_limits_out_of_range(limits, message):
    with pytest.raises(UsageError, match=message):
        Trial(**limits)
