"""A small trial never meets the real run: folders, records, refusals."""

import shutil

import pytest

from tests.support.small_shards import ALL, SMALL, five_shards, ids
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.manifest import size_of
from yt8m_kit.data.reading.shard_group import ShardGroup
from yt8m_kit.pipeline.shards import first_records, paths_of, shards_of
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member, Recipe
from yt8m_kit.run import Experiment
from yt8m_kit.trial import Trial

LIMITS = ["--steps=2", "--limit_videos=8"]


def limited(data, runs, videos):
    recipe = Recipe("small", "d", SMALL, {"m": Member("frame_logistic", steps=9)})
    return Experiment(recipe, data, runs).limited(Trial(limit_videos=videos))


@pytest.mark.parametrize("videos", [2, 19, 20, 21, 25, 53, 1000])
def test_the_first_records_of_the_split_are_read(videos, tmp_path):
    five_shards(tmp_path)
    given = limited(tmp_path, tmp_path / "runs", videos)
    paths = paths_of(given, "train")
    assert ids(read_batches(paths, SMALL, 4)) == ALL[:videos]
    assert sorted(ids(read_batches(paths, SMALL, 4, seed=3, readers=2))) == ALL[:videos]
    listed = shards_of(given, "train")
    assert listed == {path.name: (size_of(path), len(ShardGroup([path]))) for path in paths}
    assert paths_of(given, "train") == paths


def test_a_copied_part_follows_its_shard(tmp_path):
    shards = five_shards(tmp_path)
    given = limited(tmp_path, tmp_path / "runs", 5)
    [part] = paths_of(given, "train")
    assert part.read_bytes() == shards[0].read_bytes()[: first_records(shards, 5)[0].size]
    shutil.copy(shards[4], shards[0])
    assert ids(read_batches(paths_of(given, "train"), SMALL, 4)) == ALL[41:46]
    [fewer] = paths_of(limited(tmp_path, tmp_path / "runs", 3), "train")
    assert ids(read_batches([fewer], SMALL, 4)) == ALL[41:44]


@pytest.fixture(scope="module")
def trial(tiny_data, tmp_path_factory):
    """Runs with a trial of a member, from training to predictions."""
    from tests.support.recipes import RECIPES

    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for verb in ("train", "average", "export", "predict"):
            data = [] if verb == "export" else [f"--data={tiny_data.path}"]
            assert main([verb, "tiny", "logistic", *data, f"--runs={runs}", *LIMITS]) == 0
    return runs


@pytest.fixture
def yt8m(trial, tiny_data, tiny_recipes, capsys):
    """Runs a verb of the tiny recipe on the trial's folders; exit code and stderr."""

    def run(verb, *words):
        code = main([verb, "tiny", *words, f"--data={tiny_data.path}", f"--runs={trial}"])
        return code, capsys.readouterr().err

    return run


def test_a_trial_has_its_own_folder_steps_and_videos(trial):
    assert [path.name for path in trial.iterdir()] == ["trials"]
    made = trial / "trials" / "tiny" / "logistic"
    assert len((made / "submission.csv").read_text().splitlines()) == 1 + 8
    rows = (made / "metrics.jsonl").read_text().splitlines()
    assert '"step": 2' in rows[-1]


def test_the_real_run_finds_nothing_of_a_trial(trial, yt8m, capsys):
    code, err = yt8m("average", "logistic")
    assert (code, "run: yt8m train tiny logistic" in err) == (2, True)
    assert main(["status", "tiny", "logistic", f"--runs={trial}"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert rows
    assert all("missing" in row for row in rows)
    code, err = yt8m("submit", "logistic")
    assert (code, "run: yt8m predict tiny logistic" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["train", "logistic", "--steps=3", "--limit_videos=8"], "trial.steps was 2, is now 3"),
        (["train", "logistic", "--steps=2"], "trial.limit_videos was 8, is now not set"),
        (["predict", "logistic", "--steps=2", "--limit_videos=9"], "trial.limit_videos was 8, is now 9"),
    ],
)
def test_other_limits_are_refused_by_name(words, reason, yt8m):
    code, err = yt8m(*words)
    assert (code, reason in err, err.count("\n")) == (2, True, 1), err


def test_the_command_of_a_refusal_has_the_limits(yt8m):
    code, err = yt8m("evaluate", "netvlad", *LIMITS)
    assert (code, "run: yt8m average tiny netvlad --steps=2 --limit_videos=8" in err) == (2, True)


def test_a_trial_is_up_to_date_with_its_own_limits(yt8m):
    code, err = yt8m("run", "logistic", *LIMITS)
    assert (code, "everything is up to date" in err) == (0, True)
    code, err = yt8m("run", "logistic", "--to=submit", *LIMITS)
    assert (code, "a trial is not submitted" in err) == (2, True)


def test_a_trial_moved_among_the_real_runs_is_stale(trial, tiny_data, tiny_recipes, tmp_path, capsys):
    shutil.copytree(trial / "trials" / "tiny", tmp_path / "tiny")
    assert main(["submit", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={tmp_path}"]) == 2
    assert "trial was {'steps': 2, 'limit_videos': 8}, is now not set" in capsys.readouterr().err


def test_only_a_trial_has_its_limits_in_the_records(tiny_data, tiny_recipes, tmp_path):
    """So that records of real runs, those of older versions included, stay valid."""
    from yt8m_kit.recipe import load

    real = Experiment(load("tiny"), tiny_data.path, tmp_path)
    assert "trial" not in Stages(real).train("netvlad").sources()["settings"]
    trial = real.limited(Trial(steps=2))
    assert Stages(trial).predict("netvlad").sources()["settings"] == {"trial": {"steps": 2}}
