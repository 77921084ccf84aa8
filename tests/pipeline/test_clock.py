"""Time left of a run, from the durations of stages that were made before."""

import pytest

from yt8m_kit.pipeline.engines.clock import Clock
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def stages(tiny_data, tiny_runs):
    """Of a recipe whose members logistic and netvlad are trained, averaged and evaluated."""
    return Stages(Experiment(load("tiny"), tiny_data.path, tiny_runs))


def seconds(stage):
    record = stage.made()
    assert record
    return record.seconds


def test_what_was_made_before_takes_as_long_again(stages):
    trained = [stages.train("logistic"), stages.train("netvlad")]
    left = Clock().left(trained)
    assert left is not None
    assert left.seconds == pytest.approx(sum(map(seconds, trained)))
    assert not left.is_least


def test_other_members_tell_what_a_first_training_takes(stages):
    first, trained = stages.train("runaway"), [stages.train("logistic"), stages.train("netvlad")]
    assert first.made() is None
    assert Clock().left([first]) is None
    left = Clock(trained).left([first])
    assert left is not None
    assert left.seconds == pytest.approx(sum(map(seconds, trained)) / 2)


def test_unknown_stages_make_it_a_least_time(stages):
    trained = stages.train("netvlad")
    left = Clock([trained]).left([trained, stages.predict("netvlad")])
    assert left is not None
    assert left.seconds == pytest.approx(seconds(trained))
    assert str(left).startswith("at least ")
