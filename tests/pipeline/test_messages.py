"""What stages say: where they begin or resume, what they made, what comes next."""

import pytest

from yt8m_kit import recipe as recipes
from yt8m_kit.errors import UsageError
from yt8m_kit.output.arrays import write_arrays
from yt8m_kit.pipeline.messages.beginning import announce
from yt8m_kit.pipeline.messages.ending import next_command, within_run
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment


@pytest.fixture
def stages(tmp_path):
    return Stages(Experiment(recipes.load("demo"), tmp_path / "data", tmp_path / "runs"))


def said(stage, capsys):
    announce(stage)
    return capsys.readouterr().err


def with_records(stages, records):
    """The train split has two shards of so many records."""
    stages._shards["train"] = {f"train{n}.tfrecord": (10, records) for n in range(2)}


def test_a_training_says_its_steps_and_where_it_resumes(stages, capsys):
    member = stages.recipe.member("netvlad")
    total = -(-member.epochs * 3000 // member.batch_size)
    count = -(-total // member.checkpoint_steps)
    with_records(stages, 1500)
    assert said(stages.train("netvlad"), capsys) == (
        f"train demo netvlad: {total:,} steps, {count} checkpoints\n"
    )
    step = 3 * member.checkpoint_steps + 1
    checkpoints = stages.experiment.run("netvlad").checkpoints
    checkpoints.mkdir(parents=True)
    write_arrays(checkpoints / "state.npz", {}, {"step": step})
    assert said(stages.train("netvlad"), capsys) == (
        f"train demo netvlad: 3 of {count} checkpoints, step {step} of {total:,}\n"
    )
    (checkpoints / "state.npz").write_bytes(b"damaged")
    assert f"{total:,} steps" in said(stages.train("netvlad"), capsys)


def test_uncounted_records_leave_the_total_out(stages, capsys):
    with_records(stages, None)
    assert said(stages.train("netvlad"), capsys) == "train demo netvlad\n"


def test_nothing_is_said_of_a_stage_without_inputs_or_with_its_product(stages, capsys):
    with pytest.raises(UsageError, match="run: yt8m train demo netvlad"):
        announce(stages.average("netvlad"))
    product = stages.train("netvlad").main
    product.parent.mkdir(parents=True)
    product.touch()
    assert said(stages.train("netvlad"), capsys) == ""


def test_the_next_command_leads_to_a_submission(stages):
    words = [stages.train("dbof"), stages.average("dbof"), stages.weight_scores("dbof")]
    words += [
        stages.ensemble("blend"),
        stages.export("blend"),
        stages.predict("blend"),
        stages.submit("blend"),
    ]
    assert [next_command(stage) for stage in words] == [
        "yt8m average demo dbof", "yt8m evaluate demo dbof", "yt8m report demo", "yt8m export demo blend",
        "yt8m predict demo blend", "yt8m submit demo blend", "yt8m report demo",
    ]  # fmt: skip


def test_within_a_run_the_environment_says_so_until_its_end(monkeypatch):
    monkeypatch.delenv("YT8M_IN_RUN", raising=False)
    with within_run():
        import os

        assert os.environ["YT8M_IN_RUN"] == "1"
    assert "YT8M_IN_RUN" not in os.environ
